/**
 * A document in step with the server: its snapshot first, behind it what the group says.
 *
 * When something can't be had any more (`reset`), or when the server has lost what it had, the snapshot is taken anew, and
 * what this page has and the server has not is published again. Nothing of the document is ever taken back.
 */
import { Doc, applyUpdate, encodeStateAsUpdate, encodeStateVector, equalSnapshots, snapshot } from "./vendor/yjs.js";
import { retryDelay } from "../fanout/retry.js";
import { fromBase64, positionIn } from "./rules.js";

/** What comes from the server, for those who listen to the document. */
export const REMOTE = "remote";
/** Ms over which the pages of a document spread when all are told to take the snapshot. */
const SPREAD_MS = 2_000;
const TRY_AGAIN_LATER = 1013;

export class DocumentSync {
  ready = false;
  /** Joins begin anew: what belongs to an older one counts no more. */
  #round = 0;
  #left = 0;
  #failures = 0;
  /** What the server has, while it is to be compared with what this page has. @type {Doc | null} */ #servers = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /**
   * @param {object} parts
   * @param {import("../fanout/client.js").FanoutClient} parts.client
   * @param {string} parts.group
   * @param {string} parts.url Where the snapshot is.
   * @param {Doc} parts.doc
   * @param {unknown} parts.info What the others see of this page.
   * @param {(update: Uint8Array) => void} parts.lacking Called with what the server has not.
   * @param {(ready: boolean) => void} parts.changed
   * @param {(sentence: string) => void} parts.problem Called with what is wrong, or with nothing.
   * @param {() => number} [parts.random]
   * @param {typeof fetch} [parts.fetch]
   */
  constructor({ client, group, url, doc, info, lacking, changed, problem, random = Math.random, fetch = globalThis.fetch.bind(globalThis) }) {
    Object.assign(this, { client, group, url, doc, info, lacking, changed, problem, random, fetch });
    client.on("joined", (event) => event.group === group && this.#joined(event));
    client.on("publication", (event) => event.group === group && this.#published(event));
    client.on("reset", (event) => event.group === group && this.#reset());
  }

  /** @type {any} */ client;
  /** @type {string} */ group = "";
  /** @type {string} */ url = "";
  /** @type {any} */ doc;
  /** @type {unknown} */ info;
  /** @type {any} */ lacking;
  /** @type {any} */ changed;
  /** @type {any} */ problem;
  /** @type {any} */ random;
  /** @type {any} */ fetch;

  /** Take the snapshot and join behind it. Goes on trying; resolved when it is under way, or given up for a newer round. */
  async open({ compare = false } = {}) {
    const round = ++this.#round;
    clearTimeout(this.#timer);
    try {
      const { state, position } = await this.#snapshot();
      if (round !== this.#round) return;
      applyUpdate(this.doc, state, REMOTE);
      this.#servers = compare ? new Doc() : null;
      if (this.#servers) applyUpdate(this.#servers, state);
      await this.client.join(this.group, { since: position, presence: true, info: this.info });
    } catch (error) {
      if (round !== this.#round) return;
      this.problem(/** @type {Error} */ (error).message);
      this.#openLater({ compare });
    }
  }

  /** Open at once what waits for another attempt. */
  retryNow() {
    if (this.#timer) this.#again({ compare: this.ready });
  }

  async #snapshot() {
    /** @type {Response} */ let response;
    try {
      response = await this.fetch(this.url, { cache: "no-cache", headers: { accept: "application/octet-stream, application/problem+json" } });
    } catch {
      throw new Error("The document can't be fetched: no replica answers. Trying again.");
    }
    if (!response.ok) {
      const { detail } = await response.json().catch(() => ({}));
      throw new Error(detail ?? `The document can't be fetched (${response.status}). Trying again.`);
    }
    const position = positionIn(response.headers.get("x-position"));
    if (!position) throw new Error("The document can't be fetched: what came is no snapshot. Trying again.");
    return { state: new Uint8Array(await response.arrayBuffer()), position };
  }

  /** @param {{compare: boolean}} how */
  #openLater(how, delay = retryDelay({ code: TRY_AGAIN_LATER, failures: this.#failures++ }, this.random)) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#again(how);
    }, delay);
  }

  /** Twice in a row, the server can't go on from its own snapshot: then it gets time. */
  #reset() {
    if (this.#failures++) this.#openLater({ compare: true });
    else this.#again();
  }

  /** Something is missing: begin with the snapshot again. */
  #again({ compare = true } = {}) {
    this.#round += 1;
    this.client.leave(this.group).catch(() => {}); // a connection that is lost right now leaves, too
    return this.open({ compare });
  }

  /** @param {{recovered: number, reset?: string}} joined */
  #joined({ recovered, reset }) {
    if (reset) return; // said again by an event of its own
    this.#left = recovered;
    if (!recovered) this.#caughtUp();
  }

  /** @param {{data: any, recovered: boolean}} publication */
  #published({ data, recovered }) {
    if (typeof data?.update === "string") this.#take(data.update);
    if (data?.resync && !recovered) this.#openLater({ compare: true }, this.random() * SPREAD_MS);
    if (recovered && this.#left > 0 && --this.#left === 0) this.#caughtUp();
  }

  /** @param {string} text */
  #take(text) {
    try {
      const update = fromBase64(text);
      applyUpdate(this.doc, update, REMOTE);
      if (this.#servers) applyUpdate(this.#servers, update);
    } catch (error) {
      console.warn("A change could not be read.", error);
    }
  }

  #caughtUp() {
    const servers = this.#servers;
    this.#servers = null;
    if (servers && !equalSnapshots(snapshot(servers), snapshot(this.doc))) {
      this.lacking(encodeStateAsUpdate(this.doc, encodeStateVector(servers)));
    }
    this.#failures = 0;
    this.ready = true;
    this.problem("");
    this.changed(true);
  }
}
