/**
 * Positions in a durable group: "I have everything up to here". Pure.
 */

/** The position in a frame; null in a frame of an ephemeral group, which has none. */
export function positionOf({ epoch, offset }) {
  return typeof epoch === "string" && Number.isSafeInteger(offset) ? { epoch, offset } : null;
}

/** How many recovered publications follow a `joined`. */
export const recoveredOf = ({ recovered }) => (Number.isSafeInteger(recovered) && recovered > 0 ? recovered : 0);

/** What a publication is to someone at a position: the `next` one, one `known` already, or one behind a `hole`.
 *
 * Offsets go on across epochs where nothing was lost; where something was, a reset comes first.
 */
export function placeOf(at, publication) {
  if (publication.offset === at.offset + 1) return "next";
  return publication.epoch === at.epoch && publication.offset <= at.offset ? "known" : "hole";
}
