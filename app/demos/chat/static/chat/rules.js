/** What the chat's page says and allows, without a page: lengths, names, sentences. */

const utf8 = new TextEncoder();

/** @param {string} text */
export const byteLength = (text) => utf8.encode(text).length;

const grouped = (/** @type {number} */ number) => number.toLocaleString("en");

/** Why a message can't be sent as it is, or null.
 * @param {string} text @param {number} maxBytes UTF-8 bytes.
 */
export function refusal(text, maxBytes) {
  const bytes = byteLength(text);
  if (bytes <= maxBytes) return null;
  return `This message is too long: ${grouped(bytes)} of at most ${grouped(maxBytes)} bytes. Shorten it or send it in parts.`;
}

/** What to tell when a message was not sent, by the error's code.
 * @param {{code: string, message: string}} error
 */
export function notSent({ code, message }) {
  if (code === "not_connected") return "Not sent: there is no connection. Your text is kept here.";
  if (code === "unacknowledged") {
    return "The server did not confirm this message in time. It is back here; the others may have got it or not.";
  }
  return `Not sent: ${message}`;
}

/** What stands in the place of messages that can't be had any more.
 * @param {string} reason The server's: "trimmed" or "lost".
 */
export function missing(reason) {
  const why = reason === "trimmed" ? "more was written than the room keeps" : "the server has lost them";
  return `Messages are missing here: ${why}.`;
}

/** The state of the line in words.
 * @param {{state: string, offline?: boolean, reason?: string}} state @param {boolean} joined
 */
export function lineState({ state, offline, reason }, joined) {
  if (state === "open") return joined ? "Connected" : (reason ?? "Entering the room…");
  if (state === "connecting") return "Connecting…";
  if (state === "waiting") return offline ? "You are offline. Trying again when the network is back" : "Connection lost. Trying again";
  return reason ? `The server closed the connection: ${reason}` : "The server closed the connection.";
}

/** Time left in words; nothing when it is up.
 * @param {number} ms
 */
export const countdown = (ms) => (ms > 0 ? `in ${Math.ceil(ms / 1000)} s` : "");

const TEMPERS = ["Brisk", "Calm", "Candid", "Deft", "Fond", "Hale", "Keen", "Mellow", "Nimble", "Quiet", "Sunny", "Wry"];
const BIRDS = ["Avocet", "Curlew", "Dunlin", "Egret", "Heron", "Jay", "Linnet", "Merlin", "Plover", "Robin", "Swift", "Wren"];

/** A name for someone who has not given one.
 * @param {() => number} [random]
 */
export function guestName(random = Math.random) {
  const pick = (/** @type {string[]} */ words) => words[Math.floor(random() * words.length)];
  return `${pick(TEMPERS)} ${pick(BIRDS)}`;
}

/** Colours that `room.css` has for people. */
export const HUES = 6;

/** The colour of a name: the same on every page.
 * @param {string} name
 */
export function hueOf(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return hash % HUES;
}
