/**
 * Messages on their way: from the send button to the moment when they come back as a publication.
 *
 * A publication does not say whose it is, so one is ours when its text and name are those of a message on its way.
 *
 * @typedef {{message: string, name: string, acknowledged: boolean}} Message
 */

/** The server may trim what it passes on. @param {any} value */
const trimmed = (value) => (typeof value === "string" ? value.trim() : "");

export class Outgoing {
  /** @type {Message[]} */ #messages = [];

  /** @param {string} message @param {string} name */
  add(message, name) {
    const entry = { message, name, acknowledged: false };
    this.#messages.push(entry);
    return entry;
  }

  /** Whether the message is still on its way. @param {Message} entry */
  has(entry) {
    return this.#messages.includes(entry);
  }

  /** @param {Message} entry */
  remove(entry) {
    this.#messages = this.#messages.filter((other) => other !== entry);
  }

  /** Take the message that has come back as this publication; undefined when it is someone else's.
   * @param {{message?: unknown, name?: unknown}} data
   */
  claim(data) {
    const same = (/** @type {Message} */ entry) =>
      trimmed(entry.message) === trimmed(data.message) && trimmed(entry.name) === trimmed(data.name);
    const entry = this.#messages.find(same);
    if (entry) this.remove(entry);
    return entry;
  }

  /** Take those that the server has, though they will not come back: the connection was lost in between. */
  takeAcknowledged() {
    const taken = this.#messages.filter(({ acknowledged }) => acknowledged);
    this.#messages = this.#messages.filter(({ acknowledged }) => !acknowledged);
    return taken;
  }

  /** The texts that nobody has confirmed, oldest first. */
  get unconfirmed() {
    return this.#messages.filter(({ acknowledged }) => !acknowledged).map(({ message }) => message);
  }
}
