/**
 * Messages of this page: on their way from the send button, and recognised as one's own when they come as publications.
 *
 * The acknowledgement tells a message's position, and exactly one publication has it. Either may come first.
 *
 * @typedef {{message: string, name: string}} Message
 * @typedef {import("../fanout/positions.js").Position} Position
 */

/** Own positions kept for the next load of the page: as many as it asks for of older messages. */
export const KEPT = 50;

/** @param {Position} position */
const keyOf = ({ epoch, offset }) => `${epoch}:${offset}`;

/** @template Item What the page shows for a publication. */
export class Outgoing {
  /** @type {Message[]} */ #waiting = [];
  /** Acknowledged and not here yet. @type {Map<string, {message: Message, position: Position}>} */ #acknowledged = new Map();
  /** Shown while something was waiting: each may be ours. @type {Map<string, Item>} */ #candidates = new Map();
  /** @type {Set<string>} */ #own;

  /** @param {string[]} [own] What `own` returned before the page was loaded again. */
  constructor(own = []) {
    this.#own = new Set(own);
  }

  /** @param {string} message @param {string} name */
  add(message, name) {
    const entry = { message, name };
    this.#waiting.push(entry);
    return entry;
  }

  /** The message will not be sent any more. @param {Message} entry */
  remove(entry) {
    this.#waiting = this.#waiting.filter((other) => other !== entry);
    if (!this.#waiting.length) this.#candidates.clear();
  }

  /** The server has the message, at this position. Returns what shows it already, if it is here.
   * @param {Message} message @param {Position} position
   */
  acknowledge(message, position) {
    const key = keyOf(position);
    const item = this.#candidates.get(key);
    this.#own.add(key);
    if (!item) this.#acknowledged.set(key, { message, position });
    this.remove(message);
    return item;
  }

  /** Whether the publication at this position is known to be one's own.
   * @param {Position} position
   */
  isOwn(position) {
    const key = keyOf(position);
    this.#acknowledged.delete(key);
    return this.#own.has(key);
  }

  /** A publication that is not known to be one's own is shown; it may turn out to be.
   * @param {Position} position @param {Item} item
   */
  shown(position, item) {
    if (this.#waiting.length) this.#candidates.set(keyOf(position), item);
  }

  /** Take the messages that the server has, though they will not come: a reset has gone past them.
   * @param {Position} reset
   */
  takePassed({ epoch, offset }) {
    const passed = [...this.#acknowledged].filter(([, { position }]) => position.epoch !== epoch || position.offset <= offset);
    for (const [key] of passed) this.#acknowledged.delete(key);
    return passed.map(([, { message }]) => message);
  }

  /** The texts that nobody has confirmed, oldest first. */
  get unconfirmed() {
    return this.#waiting.map(({ message }) => message);
  }

  /** The newest own positions, for the next load of the page. */
  get own() {
    return [...this.#own].slice(-KEPT);
  }
}
