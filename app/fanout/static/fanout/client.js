/**
 * A client of the subprotocol `fanout.v1`: joins groups, publishes, and comes back by itself when the connection is lost.
 *
 *     const client = connect({ url: "/ws/", groups: ["chat.lobby"] });
 *     client.on("publication", ({ group, data }) => console.log(group, data));
 *     await client.publish("chat.lobby", { message: "hi" });
 *
 * Events, for `on(type, listener)`; each is also a CustomEvent with this `detail`:
 *
 * - `state` {@link State}: whenever it changes.
 * - `joined` `{group, replica}`: after each join, also those after a reconnect.
 * - `publication` `{group, data}`.
 * - `error` {@link FanoutError}: what no promise is waiting for.
 *
 * What is published in a group while the connection is lost does not arrive. A publish that was not acknowledged
 * before the loss is rejected as `unacknowledged`: it may have arrived or not.
 */
import { FanoutError, SUBPROTOCOL, parseFrame, socketUrl } from "./protocol.js";
import { mayReturn, retryDelay } from "./retry.js";

export { FanoutError };

/** @typedef {import("./protocol.js").Frame} Frame */

/** A handshake or an answer that takes longer, in ms, means a dead connection: TCP alone would need minutes to notice. */
export const ANSWER_MS = 15_000;
/** A connection that held this long, in ms, was a good one: the backoff begins anew after it. */
export const STABLE_MS = 5_000;

const ABNORMAL = 1006;
const TRY_AGAIN_LATER = 1013;

/**
 * @typedef {object} State
 * @property {"connecting"|"open"|"waiting"|"closed"} state `closed` is final until `retryNow()`.
 * @property {number} [retryAt] When `waiting` ends, in ms since 1970.
 * @property {boolean} [offline] When `waiting`: the browser says that there is no network.
 * @property {number} [code]    Close code of the connection that was lost.
 * @property {string} [reason]  What the server said about it.
 *
 * @typedef {object} Call A frame that waits for its answer.
 * @property {string} group
 * @property {(frame: Frame) => void} resolve
 * @property {(error: FanoutError) => void} reject
 * @property {ReturnType<typeof setTimeout>} timer
 *
 * @typedef {object} Membership A group we want to be in, whatever the connection does.
 * @property {Promise<void>} first Settled by the first answer to it.
 * @property {() => void} resolve
 * @property {(error: FanoutError) => void} reject
 */

/** Open a connection and join the groups.
 * @param {{url: string, groups?: string[]}} options
 */
export function connect({ groups = [], ...options }) {
  const client = new FanoutClient(options);
  for (const group of groups) client.join(group).catch((error) => client.report(error));
  client.retryNow();
  return client;
}

export class FanoutClient extends EventTarget {
  /** @type {State} */ state = { state: "closed" };
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Map<string, Membership>} */ #groups = new Map();
  /** @type {Map<number, Call>} */ #calls = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  /** @type {number | undefined} */ #hint;
  #url;
  #random;
  #WebSocket;
  #lastId = 0;
  #failures = 0;
  #openedAt = Infinity;

  /** @param {{url: string, random?: () => number, WebSocket?: typeof WebSocket}} options */
  constructor({ url, random = Math.random, WebSocket = globalThis.WebSocket }) {
    super();
    this.#url = socketUrl(url);
    this.#random = random;
    this.#WebSocket = WebSocket;
    globalThis.addEventListener?.("online", () => this.#wake());
    globalThis.addEventListener?.("offline", () => this.#drop("The network is gone."));
    globalThis.document?.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#wake();
    });
  }

  /** Join a group now and after every reconnect. Resolved by the first `joined`, rejected when the server refuses.
   * @param {string} group
   * @returns {Promise<void>}
   */
  join(group) {
    const known = this.#groups.get(group);
    if (known) return known.first;
    /** @type {any} */ const membership = {};
    membership.first = new Promise((resolve, reject) => Object.assign(membership, { resolve, reject }));
    membership.first.catch(() => {}); // `leave` before the answer is no unhandled error
    this.#groups.set(group, membership);
    if (this.state.state === "open") this.#sendJoin(group);
    return membership.first;
  }

  /** Leave a group, also for the reconnects to come.
   * @param {string} group
   */
  async leave(group) {
    const membership = this.#groups.get(group);
    if (!membership) return;
    this.#groups.delete(group);
    membership.reject(new FanoutError("left", `${group} was left before it was joined.`));
    if (this.state.state === "open") await this.#call({ type: "leave", group });
  }

  /** Publish. Resolved when the server has acknowledged it; see {@link FanoutError} for the rest.
   * @param {string} group @param {unknown} data Anything that JSON can say.
   */
  async publish(group, data) {
    if (this.state.state !== "open") throw new FanoutError("not_connected", "There is no connection at the moment.");
    await this.#call({ type: "publish", group, data });
  }

  /** Call the listener with the detail of each event of a type.
   * @param {"state"|"joined"|"publication"|"error"} type @param {(detail: any) => void} listener
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
    this.#rejectCalls();
    this.#become({ state: "closed", code: 1000 });
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
    const groups = [...this.#groups.keys()]; // those that a listener adds now are joined by `join` itself
    this.#become({ state: "open" });
    for (const group of groups) this.#sendJoin(group);
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
    this.#rejectCalls();
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

  /** @param {Frame} frame @returns {Promise<Frame>} */
  #call(frame) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#drop("The server does not answer."), ANSWER_MS);
      this.#calls.set(id, { group: frame.group ?? "", resolve, reject, timer });
      this.#socket?.send(JSON.stringify({ ...frame, id }));
    });
  }

  #rejectCalls() {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { timer, reject } of calls) {
      clearTimeout(timer);
      reject(new FanoutError("unacknowledged", "The connection was lost before the server had acknowledged this."));
    }
  }

  /** @param {string} group @param {number} [failures] */
  async #sendJoin(group, failures = 0) {
    const socket = this.#socket;
    try {
      const { replica } = await this.#call({ type: "join", group });
      this.#groups.get(group)?.resolve();
      this.#emit("joined", { group, replica });
    } catch (thrown) {
      const error = /** @type {FanoutError} */ (thrown);
      if (socket !== this.#socket) return; // the next connection joins again
      if (error.code === "unavailable") {
        const delay = retryDelay({ code: TRY_AGAIN_LATER, failures }, this.#random);
        setTimeout(() => socket === this.#socket && this.#groups.has(group) && this.#sendJoin(group, failures + 1), delay);
      } else {
        this.#groups.get(group)?.reject(error);
        this.#groups.delete(group);
      }
      this.report(error);
    }
  }

  /** @param {Frame | null} frame */
  #receive(frame) {
    if (!frame) return;
    if (frame.type === "publication") this.#emit("publication", frame);
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
