export const SUBPROTOCOL = "fanout.v1";

export class FanoutError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "FanoutError";
    this.code = code;
  }
}

export function parseFrame(text) {
  if (typeof text !== "string") return null;
  try {
    const frame = JSON.parse(text);
    return typeof frame?.type === "string" ? frame : null;
  } catch {
    return null;
  }
}

/** Pages without HTTPS have no `randomUUID`. */
export function newKey() {
  if (globalThis.crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** As text: what happens to `data` afterwards does not change it. */
export const publishFrame = (group, data) => JSON.stringify({ type: "publish", group, key: newKey(), data });

export const numbered = (text, id) => `{"id":${id},${text.slice(1)}`;

export function socketUrl(url, base = globalThis.location?.href) {
  const absolute = new URL(url, base);
  absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  return absolute.href;
}
