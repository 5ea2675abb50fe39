/**
 * Changes that the server has not confirmed: published in their order, as many at once as fit, and kept until it has.
 *
 * Yjs takes a change any number of times, so each is sent again until it is confirmed, also after a reload of the page.
 */
import { mergeUpdates } from "./vendor/yjs.js";

/** What the server will say again of the same change. Behind a change that is missing no later one counts: all wait. */
const REFUSALS = new Set(["bad_data", "bad_frame", "bad_group", "forbidden", "too_large"]);
/** Ms until another attempt, where no connection tells when. */
const AGAIN_MS = 2_000;

export class Unsent {
  /** @type {Uint8Array[]} */ #queue = [];
  #busy = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** The server's sentence, while it refuses what is first. @type {string | null} */
  refusal = null;

  /**
   * @param {object} parts
   * @param {(update: Uint8Array) => Promise<unknown>} parts.publish
   * @param {number} parts.limit Bytes of one publication.
   * @param {() => void} parts.changed Called whenever something has come or gone.
   */
  constructor({ publish, limit, changed }) {
    Object.assign(this, { publish, limit, changed });
  }

  /** @type {(update: Uint8Array) => Promise<unknown>} */ publish;
  /** @type {number} */ limit;
  /** @type {() => void} */ changed;

  get empty() {
    return this.#queue.length === 0;
  }

  /** All of it, as one update; null if there is nothing. */
  get all() {
    return this.empty ? null : mergeUpdates(this.#queue);
  }

  /** @param {Uint8Array} update */
  add(update) {
    this.#queue.push(update);
    this.changed();
    return this.flush();
  }

  /** Send what there is; called again when a connection is there. */
  async flush() {
    clearTimeout(this.#timer);
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#queue.length) {
        const count = this.#fitting();
        await this.publish(mergeUpdates(this.#queue.slice(0, count)));
        this.#queue.splice(0, count);
        this.refusal = null;
        this.changed();
      }
    } catch (error) {
      const { code, message } = /** @type {import("../fanout/client.js").FanoutError} */ (error);
      if (REFUSALS.has(code)) this.refusal = message;
      else this.#timer = setTimeout(() => this.flush(), AGAIN_MS);
      this.changed();
    } finally {
      this.#busy = false;
    }
  }

  /** How many of the first make one publication. */
  #fitting() {
    let [count, size] = [0, 0];
    for (const { length } of this.#queue) {
      size += length;
      if (count > 0 && size > this.limit) break;
      count += 1;
    }
    return count;
  }
}
