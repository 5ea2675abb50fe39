/**
 * The groups we want to be in, whatever the connection does: joined anew on each one, behind what was heard last.
 *
 * @typedef {import("./protocol.js").Frame} Frame
 * @typedef {import("./positions.js").Position} Position
 * @typedef {import("./outbox.js").Answers} Answers
 *
 * @typedef {object} Membership
 * @property {number} last How many older publications the first join asks for.
 * @property {boolean} joined On this connection; nothing of the group is heard before.
 * @property {boolean} ephemeral As the last `joined` said.
 * @property {Position | null} position Behind the last publication that a listener was given.
 * @property {number} recovering Recovered publications still to come.
 * @property {Promise<void>} first Settled by the first answer to it.
 * @property {() => void} resolve
 * @property {(error: FanoutError) => void} reject
 */
import { placeOf, positionOf, recoveredOf } from "./positions.js";
import { FanoutError } from "./protocol.js";
import { retryDelay } from "./retry.js";

const TRY_AGAIN_LATER = 1013;

export class Memberships {
  /** @type {Map<string, Membership>} */ #groups = new Map();

  /**
   * @param {object} line
   * @param {(text: string, answers: Answers) => boolean} line.request Send a frame; false when there is no connection.
   * @param {() => unknown} line.connection What tells this connection from the next one.
   * @param {(type: string, detail: unknown) => void} line.emit
   * @param {(error: FanoutError) => void} line.report
   * @param {() => number} line.random
   */
  constructor({ request, connection, emit, report, random }) {
    this.request = request;
    this.connection = connection;
    this.emit = emit;
    this.report = report;
    this.random = random;
  }

  /** The names of all groups. */
  get names() {
    return [...this.#groups.keys()];
  }

  /** Whether a group is known to be ephemeral.
   * @param {string} group
   */
  isEphemeral(group) {
    return Boolean(this.#groups.get(group)?.ephemeral);
  }

  /** Want to be in a group. Resolved by the first `joined`, rejected when the server refuses.
   * @param {string} group @param {number} last So many older publications come first.
   * @returns {Promise<void>}
   */
  add(group, last) {
    const known = this.#groups.get(group);
    if (known) return known.first;
    /** @type {any} */ const membership = { last, joined: false, ephemeral: false, position: null, recovering: 0 };
    membership.first = new Promise((resolve, reject) => Object.assign(membership, { resolve, reject }));
    membership.first.catch(() => {}); // `leave` before the answer is no unhandled error
    this.#groups.set(group, membership);
    this.enter(group);
    return membership.first;
  }

  /** Want to be in a group no more; false if that was so already.
   * @param {string} group
   */
  remove(group) {
    const membership = this.#groups.get(group);
    if (!membership) return false;
    this.#groups.delete(group);
    membership.reject(new FanoutError("left", `${group} was left before it was joined.`));
    return true;
  }

  /** Join a group on this connection, behind what was heard of it.
   * @param {string} group @param {number} [failures]
   */
  enter(group, failures = 0) {
    const membership = this.#groups.get(group);
    if (!membership) return;
    const { position, last } = membership;
    const connection = this.connection();
    const current = () => connection === this.connection() && membership === this.#groups.get(group);
    membership.joined = false;
    this.request(JSON.stringify({ type: "join", group, ...(position ? { since: position } : last && { last }) }), {
      resolve: (frame) => current() && this.#joined(membership, group, frame),
      reject: (error) => {
        if (!current()) return; // the next connection joins again
        if (error.code === "unavailable") {
          const delay = retryDelay({ code: TRY_AGAIN_LATER, failures }, this.random);
          setTimeout(() => current() && this.enter(group, failures + 1), delay);
        } else {
          membership.reject(error);
          this.#groups.delete(group);
        }
        this.report(error);
      },
    });
  }

  /** Take a publication: it is told unless it is known; a hole is asked for.
   * @param {Frame} frame
   */
  published(frame) {
    const { group = "" } = frame;
    const membership = this.#groups.get(group);
    if (!membership?.joined) return;
    const [at, now] = [membership.position, positionOf(frame)];
    const recovered = membership.recovering > 0;
    if (at && now) {
      const place = placeOf(at, now);
      if (place === "known") return;
      if (place === "hole" && !recovered) return this.enter(group); // the server fills it, or tells a reset
      if (place === "hole") this.emit("reset", { group, reason: "lost", ...now });
      if (recovered) membership.recovering -= 1;
      membership.position = now;
    }
    this.emit("publication", { ...frame, recovered });
  }

  /** Take a reset: publications up to its position are missing.
   * @param {Frame} frame
   */
  reset(frame) {
    const { group = "", reason } = frame;
    const [membership, position] = [this.#groups.get(group), positionOf(frame)];
    if (!membership?.joined || !position) return;
    Object.assign(membership, { position, recovering: 0 });
    this.emit("reset", { group, reason, ...position });
  }

  /** @param {Membership} membership @param {string} group @param {Frame} frame */
  #joined(membership, group, frame) {
    const [end, recovered] = [positionOf(frame), recoveredOf(frame)];
    membership.joined = true;
    membership.ephemeral = !end;
    membership.recovering = end ? recovered : 0;
    // What is recovered tells its own epochs; until then the position is what it was.
    const epoch = (!frame.reset && recovered && membership.position?.epoch) || end?.epoch;
    membership.position = end && { epoch, offset: end.offset - recovered };
    membership.resolve();
    this.emit("joined", { group, replica: frame.replica, recovered, reset: frame.reset });
    if (frame.reset) this.emit("reset", { group, reason: frame.reset, ...end });
  }
}
