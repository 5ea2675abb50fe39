/**
 * The document's page without a page: what changed in a text, where a place is after somebody else's change, sentences.
 *
 * All places in a text are counted in UTF-16 units, as fields and Yjs count.
 *
 * @typedef {{at: number, remove: number, insert: string}} Change
 * @typedef {{retain?: number, insert?: any, delete?: number}[]} Delta As Yjs tells a change.
 */
export { COLOURS, colourOf } from "../fanout/colours.js";

const isHigh = (/** @type {number} */ unit) => unit >= 0xd800 && unit < 0xdc00;
const isLow = (/** @type {number} */ unit) => unit >= 0xdc00 && unit < 0xe000;

/** The change that makes `after` of `before`, null if there is none. No character is cut in two.
 * @param {string} before @param {string} after @param {number} [caret] Where in `after` the writer is: behind what is new.
 * @returns {Change | null}
 */
export function changeBetween(before, after, caret = after.length) {
  if (before === after) return null;
  const most = Math.min(before.length, after.length);
  let same = 0;
  const sameAtEnd = Math.min(most, Math.max(0, after.length - caret));
  while (same < sameAtEnd && before[before.length - 1 - same] === after[after.length - 1 - same]) same += 1;
  let at = 0;
  while (at < most - same && before[at] === after[at]) at += 1;
  // The caret may lie before what has changed, as behind an undo of the browser's own.
  while (same < most - at && before[before.length - 1 - same] === after[after.length - 1 - same]) same += 1;
  if (at > 0 && isHigh(before.charCodeAt(at - 1))) at -= 1;
  if (same > 0 && isLow(before.charCodeAt(before.length - same))) same -= 1;
  return { at, remove: before.length - same - at, insert: after.slice(at, after.length - same) };
}

/** Where a place is after somebody else's change. What is written right there comes behind it.
 * @param {number} place @param {Delta} delta
 */
export function moved(place, delta) {
  let at = 0;
  for (const { retain = 0, insert = "", delete: removed = 0 } of delta) {
    at += retain;
    if (at >= place) return place;
    if (insert) {
      place += insert.length;
      at += insert.length;
    } else if (removed) {
      place -= Math.min(removed, place - at);
    }
  }
  return place;
}

/** What is to be done to a text for a change that was made to it before the others' changes: what to delete, one by one, last
 * first, and where to insert. What others have written is not deleted.
 * @param {Change} change @param {number} length The text's, before all. @param {Delta[]} others
 */
export function rebased({ at, remove }, length, others) {
  // Each unit's place before all; -1 for what is new.
  let units = Array.from({ length }, (_, i) => i);
  for (const delta of others) {
    let i = 0;
    for (const { retain = 0, insert = "", delete: removed = 0 } of delta) {
      i += retain;
      if (removed) units.splice(i, removed);
      if (insert) units = units.slice(0, i).concat(Array(insert.length).fill(-1), units.slice(i));
      i += insert.length;
    }
  }
  const removes = units.flatMap((unit, i) => (unit >= at && unit < at + remove ? [i] : [])).reverse();
  const before = units.findLastIndex((unit) => unit >= 0 && unit < at);
  return { at: before + 1, removes };
}

/** Where a change ends: there the writer goes on after an undo. @param {Delta} delta */
export function endOf(delta) {
  let [at, end] = [0, 0];
  for (const { retain = 0, insert = "", delete: removed = 0 } of delta) {
    at += retain + insert.length;
    if (insert || removed) end = at;
  }
  return end;
}

/** Bytes in one piece of the string that is made of them: a call takes so many arguments and no more. */
const PIECE = 0x8000;

/** @param {Uint8Array} bytes */
export function toBase64(bytes) {
  let binary = "";
  for (let i = 0; i < bytes.length; i += PIECE) binary += String.fromCharCode(...bytes.subarray(i, i + PIECE));
  return btoa(binary);
}

/** @param {string} text */
export const fromBase64 = (text) => Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0));

/** A position as `X-Position` writes it; null if it is none. @param {string | null} text */
export function positionIn(text) {
  const [epoch, offset] = (text ?? "").split(":");
  return epoch && /^\d+$/.test(offset ?? "") ? { epoch, offset: Number(offset) } : null;
}

/** What the page says of the changes that the server has not confirmed.
 * @param {{waiting: boolean, open: boolean, ready: boolean, refusal: string | null}} state
 */
export function savedInWords({ waiting, open, ready, refusal }) {
  if (refusal) return "Not saved";
  if (!ready) return open ? "Opening…" : "Not open yet";
  if (!waiting) return "Saved";
  return open ? "Saving…" : "Kept in this browser until the connection is back";
}

/** What to tell of a change that the server refused. @param {string} sentence The server's. */
export const refused = (sentence) => `Your last changes are not saved: ${sentence} Your text stays here; copy it if you have to leave.`;

/** How many are here, in words. @param {number} count */
export const hereInWords = (count) => (count > 1 ? `${count} people are here` : "Nobody else is here");

const TEMPERS = ["Brisk", "Calm", "Candid", "Deft", "Fond", "Hale", "Keen", "Mellow", "Nimble", "Quiet", "Sunny", "Wry"];
const WRITERS = ["Author", "Clerk", "Diarist", "Editor", "Poet", "Quill", "Reader", "Scholar", "Scribe", "Teller", "Typist", "Writer"];

/** A name for someone who has not given one. @param {() => number} [random] */
export function guestName(random = Math.random) {
  const pick = (/** @type {string[]} */ words) => words[Math.floor(random() * words.length)];
  return `${pick(TEMPERS)} ${pick(WRITERS)}`;
}
