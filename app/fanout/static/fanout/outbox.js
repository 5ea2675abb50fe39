// Publications until they are acknowledged: sent again with the same key, so that each is in its group once; the next
// one of a group when the fate of the one before is known, which keeps their order.
import { positionOf } from "./positions.js";
import { FanoutError, publishFrame } from "./protocol.js";
import { retryDelay } from "./retry.js";

/** ms after which one is given up; far below the server's memory for keys (5 minutes). */
export const PUBLISH_MS = 60_000;

/** Failures that the wait grows with: it stays below 4 s. */
const FAILURES = 3;
const ABNORMAL = 1006;

export class Outbox {
  /** By group. `busy`: under way, or waiting for the next attempt; `tried`: it may have arrived. */
  #queues = new Map();

  /** `mayRepeat(group)`: whether the server tells repeats there. */
  constructor({ request, mayRepeat, report, random }) {
    Object.assign(this, { request, mayRepeat, report, random });
  }

  publish(group, data) {
    const text = publishFrame(group, data);
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => this.#end(entry, givenUp(entry)), PUBLISH_MS);
      const entry = { group, text, busy: false, tried: false, failures: 0, resolve, reject, limit };
      const queue = this.#queues.get(group);
      if (queue) queue.push(entry);
      else this.#queues.set(group, [entry]);
      this.#sendFirst(group);
    });
  }

  /** There is a new connection: what the old one left open is sent again. */
  resume() {
    for (const [group, [first]] of [...this.#queues]) {
      clearTimeout(first.pause);
      first.busy = false;
      this.#sendFirst(group);
    }
  }

  close() {
    for (const entry of [...this.#queues.values()].flat()) this.#end(entry, givenUp(entry));
  }

  #sendFirst(group) {
    const entry = this.#queues.get(group)?.[0];
    if (!entry || entry.busy) return;
    entry.busy = this.request(entry.text, {
      resolve: (frame) => this.#end(entry, null, positionOf(frame)),
      reject: (error) => this.#failed(entry, error),
    });
    entry.tried ||= entry.busy;
  }

  #failed(entry, error) {
    const { group } = entry;
    if (error.code === "unavailable") {
      this.report(error);
      const delay = retryDelay({ code: ABNORMAL, failures: Math.min(entry.failures++, FAILURES) }, this.random);
      entry.pause = setTimeout(() => {
        entry.busy = false;
        this.#sendFirst(group);
      }, delay);
    } else if (error.code === "unacknowledged" && this.mayRepeat(group)) {
      entry.busy = false; // `resume` sends it again
    } else {
      this.#end(entry, error);
    }
  }

  #end(entry, error, position = null) {
    clearTimeout(entry.limit);
    clearTimeout(entry.pause);
    const rest = (this.#queues.get(entry.group) ?? []).filter((other) => other !== entry);
    if (rest.length) this.#queues.set(entry.group, rest);
    else this.#queues.delete(entry.group);
    if (error) entry.reject(error);
    else entry.resolve(position);
    this.#sendFirst(entry.group);
  }
}

function givenUp({ tried }) {
  return tried
    ? new FanoutError("unacknowledged", "The server did not confirm this in time. It may have arrived or not.")
    : new FanoutError("not_connected", "There was no connection in time. This was not sent.");
}
