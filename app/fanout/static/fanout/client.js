/**
 * A client of the subprotocol `fanout.v1`: joins groups, publishes, and comes back by itself when the connection is lost.
 *
 *     const client = connect({ url: "/ws/", groups: ["chat.lobby"], last: 50 });
 *     client.on("publication", ({ group, data }) => console.log(group, data));
 *     await client.publish("chat.lobby", { message: "hi" });
 *
 * Events, for `on(type, listener)`; each is also a CustomEvent with this `detail`:
 *
 * - `state` {@link State}: whenever it changes.
 * - `joined` `{group, replica, recovered, reset}`: after each join, also those after a reconnect, before its publications.
 * - `publication` `{group, data, epoch, offset, recovered}`: `recovered` when it was published before the join.
 * - `reset` `{group, reason, epoch, offset}`: publications are missing up to this position.
 * - `error` {@link FanoutError}: what no promise carries, and what is tried again because the server was unavailable.
 *
 * Durable group: every publication comes once, in order, over all reconnects, or `reset` tells that some are missing.
 * A publish is in the group once when it is resolved, whatever the connection did meanwhile; the order of one group's
 * publishes is kept. Rejected as `unacknowledged` it may have arrived or not.
 *
 * Ephemeral group: what is published while the connection is lost does not arrive, and nothing is sent twice.
 */
import { Memberships } from "./memberships.js";
import { Outbox } from "./outbox.js";
import { FanoutError, SUBPROTOCOL, numbered, parseFrame, publishFrame, socketUrl } from "./protocol.js";
import { mayReturn, retryDelay } from "./retry.js";

export { FanoutError };

/**
 * @typedef {import("./protocol.js").Frame} Frame
 * @typedef {import("./positions.js").Position} Position
 * @typedef {import("./outbox.js").Answers} Answers
 */

/** A handshake or an answer that takes longer, in ms, means a dead connection: TCP alone would need minutes to notice. */
export const ANSWER_MS = 15_000;
/** A connection that held this long, in ms, was a good one: the backoff begins anew after it. */
export const STABLE_MS = 5_000;

const ABNORMAL = 1006;
const TOO_BIG = 1009;

/**
 * @typedef {object} State
 * @property {"connecting"|"open"|"waiting"|"closed"} state `closed` is final until `retryNow()`.
 * @property {number} [retryAt] When `waiting` ends, in ms since 1970.
 * @property {boolean} [offline] When `waiting`: the browser says that there is no network.
 * @property {number} [code]    Close code of the connection that was lost.
 * @property {string} [reason]  What the server said about it.
 *
 * @typedef {Answers & {timer: ReturnType<typeof setTimeout>}} Call A frame that waits for its answer.
 */

/** Open a connection and join the groups, each with its `last` older publications.
 * @param {{url: string, groups?: string[], last?: number}} options
 */
export function connect({ groups = [], last, ...options }) {
  const client = new FanoutClient(options);
  for (const group of groups) client.join(group, { last }).catch((error) => client.report(error));
  client.retryNow();
  return client;
}

export class FanoutClient extends EventTarget {
  /** @type {State} */ state = { state: "closed" };
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Map<number, Call>} */ #calls = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  /** @type {number | undefined} */ #hint;
  #url;
  #random;
  #WebSocket;
  #memberships;
  #outbox;
  #lastId = 0;
  #failures = 0;
  #openedAt = Infinity;

  /** @param {{url: string, random?: () => number, WebSocket?: typeof WebSocket}} options */
  constructor({ url, random = Math.random, WebSocket = globalThis.WebSocket }) {
    super();
    this.#url = socketUrl(url);
    this.#random = random;
    this.#WebSocket = WebSocket;
    const line = {
      request: (/** @type {string} */ text, /** @type {Answers} */ answers) => this.#request(text, answers),
      report: (/** @type {FanoutError} */ error) => this.report(error),
      random,
    };
    this.#memberships = new Memberships({
      ...line,
      connection: () => this.#socket,
      emit: (type, detail) => this.#emit(type, detail),
    });
    this.#outbox = new Outbox({ ...line, mayRepeat: (group) => !this.#memberships.isEphemeral(group) });
    globalThis.addEventListener?.("online", () => this.#wake());
    globalThis.addEventListener?.("offline", () => this.#drop("The network is gone."));
    globalThis.document?.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#wake();
    });
  }

  /** Join a group now and after every reconnect, then behind the last publication that came. Resolved by the first
   * `joined`, rejected when the server refuses.
   * @param {string} group @param {{last?: number}} [options] `last`: so many older publications come first, 1000 at most.
   * @returns {Promise<void>}
   */
  join(group, { last = 0 } = {}) {
    return this.#memberships.add(group, last);
  }

  /** Leave a group, also for the reconnects to come.
   * @param {string} group
   */
  async leave(group) {
    const wasMember = this.#memberships.remove(group);
    if (wasMember && this.state.state === "open") await this.#call(JSON.stringify({ type: "leave", group }));
  }

  /** Publish. Resolved with its position when the server has acknowledged it (null in an ephemeral group); until then it
   * is sent again on each new connection, for {@link PUBLISH_MS} at most. See {@link FanoutError} for the rest.
   * @param {string} group @param {unknown} data Anything that JSON can say.
   * @returns {Promise<Position | null>}
   */
  async publish(group, data) {
    const ephemeral = this.#memberships.isEphemeral(group);
    if (this.state.state === "closed" || (ephemeral && this.state.state !== "open")) {
      throw new FanoutError("not_connected", "There is no connection at the moment.");
    }
    if (!ephemeral) return this.#outbox.publish(group, data);
    await this.#call(publishFrame(group, data));
    return null;
  }

  /** Call the listener with the detail of each event of a type.
   * @param {"state"|"joined"|"publication"|"reset"|"error"} type @param {(detail: any) => void} listener
   */
  on(type, listener) {
    this.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail));
  }

  /** Try to connect at once instead of waiting, also after a final close. */
  retryNow() {
    if (!this.#socket) this.#connect();
  }

  /** Close the connection for good. */
  close() {
    const socket = this.#forget();
    socket?.close(1000);
    this.#become({ state: "closed", code: 1000 });
    this.#rejectCalls();
    this.#outbox.close();
  }

  /** Tell the listeners about an error that no promise carries.
   * @param {FanoutError} error
   */
  report(error) {
    this.#emit("error", error);
  }

  // The connection

  #connect() {
    clearTimeout(this.#timer);
    const socket = new this.#WebSocket(this.#url, [SUBPROTOCOL]);
    this.#socket = socket;
    this.#openedAt = Infinity;
    this.#hint = undefined;
    this.#timer = setTimeout(() => this.#drop("The server does not answer."), ANSWER_MS);
    // A socket that was given up may still speak: only the current one is heard.
    socket.onopen = () => socket === this.#socket && this.#opened();
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(parseFrame(data));
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#lost(code, reason);
    this.#become({ state: "connecting" });
  }

  #opened() {
    clearTimeout(this.#timer);
    this.#openedAt = Date.now();
    const groups = this.#memberships.names; // those that a listener adds now are joined by `join` itself
    this.#become({ state: "open" });
    for (const group of groups) this.#memberships.enter(group);
    this.#outbox.resume();
  }

  /** @param {number} code @param {string} reason */
  #lost(code, reason) {
    this.#forget();
    if (Date.now() - this.#openedAt >= STABLE_MS) this.#failures = 0;
    const offline = globalThis.navigator?.onLine === false;
    const delay = retryDelay({ code, failures: this.#failures, hint: this.#hint, offline }, this.#random);
    this.#failures += 1;
    if (mayReturn(code)) {
      this.#timer = setTimeout(() => this.#connect(), delay);
      this.#become({ state: "waiting", retryAt: Date.now() + delay, offline, code, reason });
    } else {
      this.#become({ state: "closed", code, reason });
    }
    this.#rejectCalls(code === TOO_BIG ? "too_large" : "unacknowledged");
    if (this.state.state === "closed") this.#outbox.close();
  }

  /** Give the connection up without waiting for the other side, which may never answer.
   * @param {string} reason
   */
  #drop(reason) {
    const socket = this.#socket;
    if (!socket) return;
    this.#lost(ABNORMAL, reason);
    socket.close();
  }

  #wake() {
    if (this.state.state === "waiting") this.#connect();
  }

  #forget() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#timer);
    return socket;
  }

  // Calls and frames

  /** @param {string} text A frame without its id. @param {Answers} answers */
  #request(text, answers) {
    if (this.state.state !== "open") return false;
    const id = ++this.#lastId;
    const timer = setTimeout(() => this.#drop("The server does not answer."), ANSWER_MS);
    this.#calls.set(id, { ...answers, timer });
    this.#socket?.send(numbered(text, id));
    return true;
  }

  /** @param {string} text @returns {Promise<Frame>} */
  #call(text) {
    return new Promise((resolve, reject) => this.#request(text, { resolve, reject }));
  }

  /** @param {string} [code] */
  #rejectCalls(code = "unacknowledged") {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { timer, reject } of calls) {
      clearTimeout(timer);
      reject(new FanoutError(code, "The connection was lost before the server had acknowledged this."));
    }
  }

  /** @param {Frame | null} frame */
  #receive(frame) {
    if (!frame) return;
    if (frame.type === "publication") this.#memberships.published(frame);
    else if (frame.type === "reset") this.#memberships.reset(frame);
    else if (frame.type === "reconnect") this.#hint = Number.isFinite(frame.retry) ? frame.retry : 0;
    else if (frame.type === "error") this.#refused(frame);
    else if (["joined", "left", "ack"].includes(frame.type)) this.#answered(frame)?.resolve(frame);
    // Every other type belongs to a version that we do not speak.
  }

  /** @param {Frame} frame */
  #refused(frame) {
    const error = new FanoutError(String(frame.code), String(frame.message));
    const call = this.#answered(frame);
    if (call) call.reject(error);
    else this.report(error);
  }

  /** @param {Frame} frame */
  #answered({ id }) {
    const call = this.#calls.get(id ?? 0);
    if (call) clearTimeout(call.timer);
    this.#calls.delete(id ?? 0);
    return call;
  }

  // Events

  /** @param {State} state */
  #become(state) {
    this.state = state;
    this.#emit("state", state);
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
