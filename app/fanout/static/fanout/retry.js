/**
 * When to come back after a socket has closed: pure arithmetic, no clock and no socket.
 */

/** First step of the backoff in ms: a replica that died is replaced by another one at once. */
export const BASE_MS = 500;
/** Longest wait in ms: a fleet that is down for long is asked twice a minute by each page. */
export const CAP_MS = 30_000;
/** Shortest wait in ms: full jitter may say 0, and a page must not spin. */
export const FLOOR_MS = 100;
/** Spread in ms of the clients of a replica that left as planned: others are ready to take them. */
export const HANDOVER_MS = 250;
/** Failures that "try again later" (1013) counts for: the wait begins at up to 4 s. */
const LATER_FAILURES = 3;

const NORMAL = 1000;
const GOING_AWAY = 1001;
const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;

/** Whether coming back could help: 1000 is the end that both wanted, and from 4400 on the server says that the same
 * words would be refused again. Behind 1009 the client comes back without the message that was too large.
 */
export const mayReturn = (code) => code !== NORMAL && code < 4400;

/** Milliseconds until the next attempt. */
export function retryDelay({ code, failures, hint, offline }, random = Math.random) {
  // The event `online` ends this wait early; the attempt itself is for servers on this very machine.
  if (offline) return CAP_MS;
  if (failures === 0 && hint !== undefined) return random() * Math.min(CAP_MS, Math.max(0, hint));
  if (failures === 0 && (code === GOING_AWAY || code === SERVICE_RESTART)) return random() * HANDOVER_MS;
  const steps = code === TRY_AGAIN_LATER ? Math.max(failures, LATER_FAILURES) : failures;
  return Math.max(FLOOR_MS, random() * Math.min(CAP_MS, BASE_MS * 2 ** steps));
}
