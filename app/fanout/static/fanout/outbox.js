/**
 * Publications until they are acknowledged: sent again with the same key, so that each is in its group once.
 *
 * One publication of a group is under way at a time, and the next one only when its fate is known: that keeps their order.
 */
import { positionOf } from "./positions.js";
import { FanoutError, publishFrame } from "./protocol.js";
import { retryDelay } from "./retry.js";

/** A publication that was not acknowledged within this time, in ms, is given up; far below the server's memory for keys (5 minutes). */
export const PUBLISH_MS = 60_000;

/** Failures that the wait between two attempts grows with: it stays below 4 s, a small part of PUBLISH_MS. */
const FAILURES = 3;
const ABNORMAL = 1006;

export class Outbox {
  /** Of each group: `text` is the frame without its id; `busy` when it is under way or waits for its next attempt;
   * `tried` when it may have arrived; `failures` in a row that the server could not serve. */
  #queues = new Map();

  /** `request(frame, answers)` is false without a connection; `mayRepeat(group)` where the server tells repeats. */
  constructor({ request, mayRepeat, report, random }) {
    Object.assign(this, { request, mayRepeat, report, random });
  }

  /** Resolved with the position when it is acknowledged (null in an ephemeral group), rejected when refused or given up. */
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

  /** There will be no connection: give everything up. */
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
