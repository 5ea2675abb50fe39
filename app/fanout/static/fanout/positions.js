/** The position in a frame; null in an ephemeral group. */
export function positionOf({ epoch, offset }) {
  return typeof epoch === "string" && Number.isSafeInteger(offset) ? { epoch, offset } : null;
}

export const recoveredOf = ({ recovered }) => (Number.isSafeInteger(recovered) && recovered > 0 ? recovered : 0);

/** Offsets go on across epochs where nothing was lost; where something was, a reset comes first. */
export function placeOf(at, publication) {
  if (publication.offset === at.offset + 1) return "next";
  return publication.epoch === at.epoch && publication.offset <= at.offset ? "known" : "gap";
}
