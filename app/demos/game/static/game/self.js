/** Oneself in the arena: walks at once on this page, tells the server twenty times a second, and goes back where it says no. */
import { walk } from "./rules.js";

/** Steps without an answer after which no more are told: old places are worth nothing. And while Redis is away each takes
 * the server 2 s: their sum stays below the 15 s after which the client takes a server for dead. */
const UNANSWERED_LIMIT = 5;

export class Self {
  /** @type {{id: string, name: string, x: number, y: number} | null} */ me = null;
  /** When the server let us in on this connection, in ms; null while it has not. @type {number | null} */ since = null;
  #ticket = "";
  #answered = { x: 0, y: 0 };
  #told = { x: NaN, y: NaN, at: -Infinity };
  #unanswered = 0;
  /** Counts connections: an answer from an older one says nothing of this one. */
  #connection = 0;
  /** Whether the server could not take our hello: it is said again. */
  #unheard = false;

  /**
   * @param {object} how
   * @param {(data: object) => Promise<unknown>} how.tell
   * @param {(error: import("../fanout/client.js").FanoutError) => void} how.refused
   * @param {() => void} how.taken A step was.
   * @param {{width: number, height: number}} how.walls
   * @param {number} how.speed Units a second. @param {number} how.repeat Ms.
   */
  constructor({ tell, refused, taken, walls, speed, repeat }) {
    Object.assign(this, { tell, refused, taken, walls, speed, repeat });
  }

  /** @param {{player: string, ticket: string}} pass @param {string} name @param {{x: number, y: number}} place */
  begin({ player, ticket }, name, place) {
    this.me = { id: player, name, ...place };
    this.#answered = place;
    this.#ticket = ticket;
  }

  /** Say who this is, on each new connection. */
  async hello() {
    const { me } = this;
    if (!me) return;
    this.#connection += 1;
    this.#unanswered = 0;
    this.#unheard = false;
    const { name } = me;
    await this.#say({ ticket: this.#ticket, name, ...this.#rounded() }, () => (this.since = Date.now()));
  }

  /** The connection is gone; the player stays where it is. */
  lost() {
    this.since = null;
    this.#unheard = false;
    this.#connection += 1;
  }

  /** Leave the arena. */
  end() {
    if (this.me && this.since !== null) this.tell({ gone: true }).catch(() => {}); // they see it by the silence
    this.me = this.since = null;
    this.#unheard = false;
  }

  /** @param {{keys: {x: number, y: number}, target: {x: number, y: number} | null}} wish @param {number} seconds */
  walk(wish, seconds) {
    if (this.me && this.since !== null) Object.assign(this.me, walk(this.me, wish, this.speed * seconds, this.walls));
  }

  /** Tell where one is, if that is news or has not been told for long. @param {number} now */
  step(now) {
    if (this.#unheard && now - this.#told.at >= this.repeat) {
      this.#told = { x: NaN, y: NaN, at: now };
      this.hello();
    }
    if (!this.me || this.since === null || this.#unanswered >= UNANSWERED_LIMIT) return;
    const { x, y } = this.#rounded();
    if (x === this.#told.x && y === this.#told.y && now - this.#told.at < this.repeat) return;
    this.#told = { x, y, at: now };
    this.#say({ x, y }, () => (this.#answered = { x, y }));
  }

  #rounded() {
    const { x, y } = /** @type {{x: number, y: number}} */ (this.me);
    return { x: Math.round(x), y: Math.round(y) };
  }

  /** @param {object} data @param {() => void} done */
  async #say(data, done) {
    const connection = this.#connection;
    this.#unanswered += 1;
    try {
      await this.tell(data);
      if (connection !== this.#connection) return;
      done();
      this.taken();
    } catch (error) {
      if (connection !== this.#connection || !this.me) return;
      const refused = /** @type {import("../fanout/client.js").FanoutError} */ (error);
      if (refused.code === "bad_data") {
        Object.assign(this.me, this.#answered);
        this.#told = { x: NaN, y: NaN, at: -Infinity }; // what was refused counts as not told
      }
      this.#unheard = refused.code === "unavailable" && this.since === null;
      this.refused(refused);
    } finally {
      if (connection === this.#connection) this.#unanswered -= 1;
    }
  }
}
