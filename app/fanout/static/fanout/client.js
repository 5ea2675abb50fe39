// A client of `fanout.v1`. What it promises, and its types: client.d.ts.
import { HttpSocket } from "./http.js";
import { Memberships } from "./memberships.js";
import { Outbox } from "./outbox.js";
import { FanoutError, SUBPROTOCOL, numbered, parseFrame, publishFrame, socketUrl } from "./protocol.js";
import { mayReturn, retryDelay } from "./retry.js";

export { FanoutError };

/** ms for a handshake or an answer; TCP alone would need minutes to notice. */
export const ANSWER_MS = 15_000;
/** ms after which a connection was a good one: the backoff begins anew. */
export const STABLE_MS = 5_000;
/** Handshakes in a row that fail before HTTP is tried. */
export const HANDSHAKES = 2;
/** Mean ms until a WebSocket is tried beside a fallback; doubled each time. */
export const UPGRADE_MS = 60_000;
const LONGEST_UPGRADE_MS = 600_000;
/** ms of silence after which a page that wakes up asks whether the line still lives, and waits for the answer. */
const SILENT_MS = 20_000;
const CHECK_MS = 5_000;

const ABNORMAL = 1006;
const TOO_BIG = 1009;

export function connect({ groups = [], last, presence, info, ...options }) {
  const client = new FanoutClient(options);
  for (const group of groups) client.join(group, { last, presence, info }).catch((error) => client.report(error));
  client.retryNow();
  return client;
}

export class FanoutClient extends EventTarget {
  state = { state: "closed" };
  #socket = null;
  #calls = new Map();
  #timer;
  #upgradeTimer;
  #upgrades = 0;
  #probe = null;
  #hint;
  #options;
  #memberships;
  #outbox;
  #transport;
  #unopened = 0;
  #lastId = 0;
  #failures = 0;
  #openedAt = Infinity;
  #heardAt = 0;

  constructor({ url, http = "/", transport, random = Math.random, WebSocket = globalThis.WebSocket, fetch }) {
    super();
    const base = new URL(http, socketUrl(url).replace(/^ws/, "http")).href;
    this.#options = { url: socketUrl(url), base, forced: transport, random, WebSocket, fetch };
    this.#transport = transport ?? "websocket";
    const line = {
      request: (text, answers) => this.#request(text, answers),
      report: (error) => this.report(error),
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
    globalThis.addEventListener?.("pageshow", () => this.#wake());
    globalThis.document?.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#wake();
    });
  }

  join(group, options = {}) {
    return this.#memberships.add(group, options);
  }

  async leave(group) {
    const wasMember = this.#memberships.remove(group);
    if (wasMember && this.state.state === "open") await this.#call(JSON.stringify({ type: "leave", group }));
  }

  async publish(group, data) {
    const ephemeral = this.#memberships.isEphemeral(group);
    if (this.state.state === "closed" || (ephemeral && this.state.state !== "open")) {
      throw new FanoutError("not_connected", "There is no connection at the moment.");
    }
    if (!ephemeral) return this.#outbox.publish(group, data);
    await this.#call(publishFrame(group, data));
    return null;
  }

  on(type, listener) {
    this.addEventListener(type, (event) => listener(event.detail));
  }

  retryNow() {
    if (!this.#socket) this.#connect();
  }

  close() {
    this.#forget()?.close(1000);
    this.#become({ state: "closed", code: 1000 });
    this.#rejectCalls();
    this.#outbox.close();
  }

  report(error) {
    this.#emit("error", error);
  }

  #connect() {
    clearTimeout(this.#timer);
    const { base, fetch } = this.#options;
    const socket =
      this.#transport === "websocket" ? this.#webSocket() : new HttpSocket(base, this.#transport, () => this.#memberships.joins(), fetch);
    this.#openedAt = Infinity;
    this.#timer = setTimeout(() => this.#drop("The server does not answer."), ANSWER_MS);
    this.#use(socket);
    socket.onopen = () => socket === this.#socket && this.#opened();
    this.#become({ state: "connecting" });
  }

  #webSocket() {
    return new this.#options.WebSocket(this.#options.url, [SUBPROTOCOL]);
  }

  // One that was given up may still speak.
  #use(socket) {
    this.#socket = socket;
    this.#hint = undefined;
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(parseFrame(data));
    socket.onclose = (closed) => socket === this.#socket && this.#lost(closed);
  }

  #opened() {
    clearTimeout(this.#timer);
    this.#unopened = 0;
    this.#openedAt = this.#heardAt = Date.now();
    const groups = this.#memberships.names; // `join` itself joins those that a listener adds now
    this.#become({ state: "open" });
    for (const group of groups) this.#memberships.enter(group);
    this.#outbox.resume();
    if (this.#transport !== "websocket" && !this.#options.forced) this.#upgradeLater();
  }

  #lost({ code, reason, blocked }) {
    const opened = this.#openedAt < Infinity;
    this.#forget();
    if (Date.now() - this.#openedAt >= STABLE_MS) this.#failures = 0;
    const offline = globalThis.navigator?.onLine === false;
    if (!opened && !offline && !this.#options.forced) this.#transport = this.#nextTransport(blocked);
    const delay = retryDelay({ code, failures: this.#failures, hint: this.#hint, offline }, this.#options.random);
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

  // A WebSocket may be blocked, a stream be held up; when HTTP fails too it is the server.
  #nextTransport(blocked) {
    if (this.#transport === "websocket") return ++this.#unopened < HANDSHAKES ? "websocket" : "sse";
    if (this.#transport === "sse" && blocked) return "poll";
    this.#unopened = HANDSHAKES - 1;
    return "websocket";
  }

  #upgradeLater() {
    clearTimeout(this.#upgradeTimer);
    const wait = Math.min(LONGEST_UPGRADE_MS, UPGRADE_MS * 2 ** this.#upgrades++) * (0.5 + this.#options.random());
    this.#upgradeTimer = setTimeout(() => this.#upgrade(), wait);
  }

  #upgrade() {
    if (this.#transport === "websocket" || this.#options.forced || this.state.state !== "open" || this.#probe) return;
    const probe = (this.#probe = this.#webSocket());
    const limit = setTimeout(() => probe.close(), ANSWER_MS);
    const over = () => {
      clearTimeout(limit);
      this.#probe = null;
    };
    probe.onopen = () => {
      over();
      if (this.#transport === "websocket" || this.state.state !== "open") return probe.close();
      this.#socket.close();
      this.#transport = "websocket";
      this.#upgrades = 0;
      this.#use(probe);
      this.#rejectCalls();
      this.#opened();
    };
    probe.onclose = () => {
      over();
      this.#upgradeLater();
    };
  }

  #drop(reason) {
    const socket = this.#socket;
    if (!socket) return;
    this.#lost({ code: ABNORMAL, reason });
    socket.close();
  }

  // The network is another one, or the page was asleep.
  #wake() {
    if (this.state.state === "waiting") return this.#connect();
    if (this.state.state !== "open") return;
    this.#upgrade();
    if (Date.now() - this.#heardAt < SILENT_MS) return;
    // Any answer will do: that nobody is in there costs the least.
    this.#request('{"type":"leave","group":"-"}', { resolve() {}, reject() {} }, CHECK_MS);
  }

  #forget() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#timer);
    clearTimeout(this.#upgradeTimer);
    return socket;
  }

  #request(text, answers, limit = ANSWER_MS) {
    if (this.state.state !== "open") return false;
    const id = ++this.#lastId;
    const timer = setTimeout(() => this.#drop("The server does not answer."), limit);
    this.#calls.set(id, { ...answers, timer });
    // A closing one would say so on the console; its end rejects the call.
    if (!(this.#socket?.readyState > 1)) this.#socket?.send(numbered(text, id));
    return true;
  }

  #call(text) {
    return new Promise((resolve, reject) => this.#request(text, { resolve, reject }));
  }

  #rejectCalls(code = "unacknowledged") {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { timer, reject } of calls) {
      clearTimeout(timer);
      reject(new FanoutError(code, "The connection was lost before the server had acknowledged this."));
    }
  }

  #receive(frame) {
    this.#heardAt = Date.now();
    if (!frame) return;
    if (frame.type === "publication") this.#memberships.published(frame);
    else if (frame.type === "reset") this.#memberships.reset(frame);
    else if (frame.type === "presence") this.#memberships.present(frame);
    else if (frame.type === "reconnect") this.#hint = Number.isFinite(frame.retry) ? frame.retry : 0;
    else if (frame.type === "error") this.#refused(frame);
    else if (["joined", "left", "ack"].includes(frame.type)) this.#answered(frame)?.resolve(frame);
  }

  #refused(frame) {
    const error = new FanoutError(String(frame.code), String(frame.message));
    const call = this.#answered(frame);
    if (call) call.reject(error);
    else this.report(error);
  }

  #answered({ id = 0 }) {
    const call = this.#calls.get(id);
    if (call) clearTimeout(call.timer);
    this.#calls.delete(id);
    return call;
  }

  #become(state) {
    this.state = { ...state, transport: this.#transport };
    this.#emit("state", this.state);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
