// A WebSocket's stand-in over plain HTTP, with the same frames: `sse` or `poll`, and POST. It opens when the server has
// answered; `blocked` of its close says that this way is held up.
import { parseFrame } from "./protocol.js";

/** ms in which a stream brings something unless it is held up. */
export const FIRST_MS = 5_000;
/** ms of silence at most: the server speaks every 15 s, and answers a poll within 25 s. */
export const SILENCE_MS = 40_000;

const ABNORMAL = 1006;
const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;
const BAD_INPUT = 4400;
const FORBIDDEN = 4403;

export class HttpSocket {
  onopen = () => {};
  onmessage = () => {};
  onclose = () => {};
  #ids = new Map(); // of joins without an answer, by group
  #early = new Set(); // groups that were asked for before their join was sent
  #cursors = new Map(); // places in ephemeral groups
  #request = new AbortController();
  #timer;
  #state = 0;
  #left = false;

  /** `joins()`: the frames that join all groups where they are. */
  constructor(base, kind, joins, fetch = globalThis.fetch) {
    Object.assign(this, { base, kind, joins });
    this.fetch = (path, init) => fetch(new URL(path, base), { credentials: "include", cache: "no-store", ...init });
    this.#restart();
  }

  send(text) {
    const frame = JSON.parse(text);
    if (frame.type === "publish") return void this.#publish(frame);
    if (frame.type === "leave") this.#say({ type: "left", id: frame.id, group: frame.group });
    else this.#ids.set(frame.group, frame.id);
    if (!this.#early.delete(frame.group)) this.#restart();
  }

  close() {
    this.#state = 2;
    clearTimeout(this.#timer);
    this.#request.abort();
  }

  /** Ask anew; several changes at once are one. */
  #restart() {
    this.#request.abort();
    const request = (this.#request = new AbortController());
    queueMicrotask(() => request.signal.aborted || this.#run(request));
  }

  async #run(request) {
    try {
      await (this.kind === "sse" ? this.#stream(request) : this.#poll(request));
    } catch {
      if (!request.signal.aborted) this.#end(ABNORMAL, "The connection was lost.");
    }
  }

  async #stream(request) {
    this.#limit(FIRST_MS, true);
    const answer = await this.#get("events", request);
    const reader = answer?.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (!reader) return;
    let text = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (request.signal.aborted) return;
      this.#limit(SILENCE_MS);
      this.#open();
      const events = (text + part.value).split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) {
        const frame = parseFrame(/^data: (.*)$/m.exec(event)?.[1]);
        if (frame) this.#take(frame);
      }
    }
    this.#end(this.#left ? SERVICE_RESTART : ABNORMAL, "The stream has ended.");
  }

  async #poll(request) {
    while (!request.signal.aborted) {
      this.#limit(SILENCE_MS);
      const answer = await this.#get("poll", request);
      if (!answer) return;
      const { replica, groups } = await answer.json();
      if (request.signal.aborted) return;
      this.#open();
      for (const { publications, since, presence, ...said } of groups) {
        if (said.epoch === undefined) this.#cursors.set(said.group, since);
        if (this.#ids.has(said.group) || said.reset) {
          this.#take({ type: "joined", replica, recovered: publications.length, presence, ...said });
        } else if (presence) {
          this.#say({ type: "presence", group: said.group, ...presence });
        }
        for (const publication of publications) this.#say(publication);
      }
      if (!groups.length) return clearTimeout(this.#timer); // until there is a group
    }
  }

  async #get(path, { signal }) {
    const fields = new URLSearchParams();
    const joins = this.joins();
    this.#early = new Set(joins.map(({ group }) => group).filter((group) => !this.#ids.has(String(group))));
    for (const { group = "", since, last, presence, info } of joins) {
      const place = since ? `${since.epoch}:${since.offset}` : this.#cursors.get(group);
      fields.append("group", group);
      if (place) fields.append("since", `${group}@${place}`);
      else if (last) fields.append("last", `${group}@${last}`);
      if (presence) fields.append("presence", `${group}@1`);
      if (info !== undefined) fields.append("info", `${group}@${JSON.stringify(info)}`);
    }
    const answer = await this.fetch(`${path}?${fields}`, { signal });
    if (this.#state === 1) this.#early.clear();
    return answer.ok ? answer : this.#refused(answer);
  }

  async #refused(answer) {
    const { code, detail, group } = await problemOf(answer);
    if (group && code !== "unavailable") {
      this.#open();
      this.#say({ type: "error", id: this.#ids.get(group), code, message: detail });
      this.#ids.delete(group);
      this.#restart(); // without it
    } else if (code === "unavailable" || answer.status === 429) this.#end(TRY_AGAIN_LATER, detail);
    else if (answer.status === 404 || answer.status >= 500) this.#end(ABNORMAL, detail, answer.status === 404);
    else this.#end(answer.status === 403 ? FORBIDDEN : BAD_INPUT, detail);
  }

  #take({ id, ...frame }) {
    const { group = "", reset } = frame;
    if (frame.type === "reconnect") this.#left = true;
    if (frame.type !== "joined") return this.#say(frame);
    if (this.#ids.has(group)) this.#say({ ...frame, id: this.#ids.get(group) });
    else if (reset) this.#say({ ...frame, type: "reset", reason: reset });
    this.#ids.delete(group);
  }

  async #publish({ id, group = "", key, data }) {
    try {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": `"${key}"` };
      const path = `groups/${encodeURIComponent(group)}/publications`;
      const answer = await this.fetch(path, { method: "POST", headers, body: JSON.stringify(data) });
      if (answer.ok) return this.#say({ type: "ack", ...(await answer.json()), id });
      const { code, detail } = await problemOf(answer);
      this.#say({ type: "error", id, code, message: detail });
    } catch {
      this.#say({ type: "error", id, code: "unavailable", message: "The server could not be reached." });
    }
  }

  #open() {
    if (this.#state) return;
    this.#state = 1;
    this.onopen();
    this.#early.clear();
  }

  #say(frame) {
    if (this.#state < 2) this.onmessage({ data: JSON.stringify(frame) });
  }

  #limit(ms, blocked) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(ABNORMAL, "The server is silent.", blocked), ms);
  }

  #end(code, reason, blocked = false) {
    if (this.#state === 2) return;
    this.close();
    this.onclose({ code, reason, blocked });
  }
}

/** Of a refusal that is not the server's own only the status is known. */
async function problemOf(answer) {
  const { code, detail, group } = await answer.json().catch(() => ({}));
  const known = answer.status === 413 ? "too_large" : answer.status > 500 ? "unavailable" : "bad_frame";
  return { code: code ?? known, detail: detail ?? `The server answered ${answer.status}.`, group };
}
