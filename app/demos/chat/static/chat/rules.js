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

const TEMPERS = ["Brisk", "Calm", "Candid", "Deft", "Fond", "Hale", "Keen", "Mellow", "Nimble", "Quiet", "Sunny", "Wry"];
const BIRDS = ["Avocet", "Curlew", "Dunlin", "Egret", "Heron", "Jay", "Linnet", "Merlin", "Plover", "Robin", "Swift", "Wren"];

/** A name for someone who has not given one.
 * @param {() => number} [random]
 */
export function guestName(random = Math.random) {
  const pick = (/** @type {string[]} */ words) => words[Math.floor(random() * words.length)];
  return `${pick(TEMPERS)} ${pick(BIRDS)}`;
}
