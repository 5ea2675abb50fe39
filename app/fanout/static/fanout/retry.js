// When to come back, in ms.

/** First step of the backoff. */
export const BASE_MS = 500;
/** Longest wait: a fleet that is down for long. */
export const CAP_MS = 30_000;
/** Shortest wait: full jitter may say 0. */
export const FLOOR_MS = 100;
/** Spread of the clients of a replica that left as planned. */
export const HANDOVER_MS = 250;
/** Failures that 1013 counts for. */
const LATER_FAILURES = 3;

const NORMAL = 1000;
const GOING_AWAY = 1001;
const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;

/** From 4400 on the same words would be refused again. */
export const mayReturn = (code) => code !== NORMAL && code < 4400;

export function retryDelay({ code, failures, hint, offline }, random = Math.random) {
  // `online` ends this wait early.
  if (offline) return CAP_MS;
  if (failures === 0 && hint !== undefined) return random() * Math.min(CAP_MS, Math.max(0, hint));
  if (failures === 0 && (code === GOING_AWAY || code === SERVICE_RESTART)) return random() * HANDOVER_MS;
  const steps = code === TRY_AGAIN_LATER ? Math.max(failures, LATER_FAILURES) : failures;
  return Math.max(FLOOR_MS, random() * Math.min(CAP_MS, BASE_MS * 2 ** steps));
}
