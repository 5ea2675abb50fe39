/**
 * Frames, errors and addresses of the subprotocol `fanout.v1`, without a socket.
 */

export const SUBPROTOCOL = "fanout.v1";

/** Why something was refused: `code` for programs (the server's, or `not_connected`, `unacknowledged`, `left`), a sentence for people. */
export class FanoutError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "FanoutError";
    this.code = code;
  }
}

/** The frame in a message, or null for what is none. */
export function parseFrame(text) {
  if (typeof text !== "string") return null;
  try {
    const frame = JSON.parse(text);
    return typeof frame?.type === "string" ? frame : null;
  } catch {
    return null;
  }
}

/** A key that no other publication has. Pages without HTTPS have no `randomUUID`. */
export function newKey() {
  if (globalThis.crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A publish frame with a key of its own, as text: what happens to `data` afterwards does not change it. */
export const publishFrame = (group, data) => JSON.stringify({ type: "publish", group, key: newKey(), data });

/** The same frame with an id. */
export const numbered = (text, id) => `{"id":${id},${text.slice(1)}`;

/** The WebSocket address of a path or URL, seen from a page. */
export function socketUrl(url, base = globalThis.location?.href) {
  const absolute = new URL(url, base);
  absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  return absolute.href;
}
