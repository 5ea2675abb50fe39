/** The colours of people and things: the same on every page. */

/** Colours that `page.css` has (`data-series`). */
export const COLOURS = 6;

/** The colour of a name, or of an id: 0 to COLOURS - 1. @param {string} name */
export function colourOf(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return hash % COLOURS;
}
