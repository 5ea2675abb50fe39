// The groups we want to be in: joined anew on each connection, behind what was heard last.
import { placeOf, positionOf, recoveredOf } from "./positions.js";
import { FanoutError } from "./protocol.js";
import { retryDelay } from "./retry.js";

const TRY_AGAIN_LATER = 1013;

export class Memberships {
  /** Of each: `joined` on this connection, `position` behind what a listener got, `recovering` ones still to come. */
  #groups = new Map();

  constructor({ request, connection, emit, report, random }) {
    Object.assign(this, { request, connection, emit, report, random });
  }

  get names() {
    return [...this.#groups.keys()];
  }

  isEphemeral(group) {
    return Boolean(this.#groups.get(group)?.ephemeral);
  }

  add(group, { last = 0, since = null, presence, info }) {
    const known = this.#groups.get(group);
    if (known) return known.first;
    const wish = { last, presence, info };
    const membership = { wish, joined: false, ephemeral: false, position: since, recovering: 0 };
    membership.first = new Promise((resolve, reject) => Object.assign(membership, { resolve, reject }));
    membership.first.catch(() => {}); // `leave` before the answer is no unhandled error
    this.#groups.set(group, membership);
    this.enter(group);
    return membership.first;
  }

  remove(group) {
    const membership = this.#groups.get(group);
    if (!membership) return false;
    this.#groups.delete(group);
    membership.reject(new FanoutError("left", `${group} was left before it was joined.`));
    return true;
  }

  joins() {
    return this.names.map((group) => this.#join(group));
  }

  #join(group) {
    const { position, wish } = this.#groups.get(group);
    const { last, presence, info } = wish;
    return { type: "join", group, ...(position ? { since: position } : last && { last }), ...(presence && { presence }), info };
  }

  enter(group, failures = 0) {
    const membership = this.#groups.get(group);
    if (!membership) return;
    const connection = this.connection();
    const current = () => connection === this.connection() && membership === this.#groups.get(group);
    membership.joined = false;
    this.request(JSON.stringify(this.#join(group)), {
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

  published(frame) {
    const { group = "" } = frame;
    const membership = this.#groups.get(group);
    if (!membership?.joined) return;
    const [at, now] = [membership.position, positionOf(frame)];
    const recovered = membership.recovering > 0;
    if (at && now) {
      const place = placeOf(at, now);
      if (place === "known") return;
      if (place === "gap" && !recovered) return this.enter(group); // the server fills it, or tells a reset
      if (place === "gap") this.emit("reset", { group, reason: "lost", ...now });
      if (recovered) membership.recovering -= 1;
      membership.position = now;
    }
    this.emit("publication", { ...frame, recovered });
  }

  reset(frame) {
    const { group = "", reason } = frame;
    const [membership, position] = [this.#groups.get(group), positionOf(frame)];
    if (!membership?.joined || !position) return;
    Object.assign(membership, { position, recovering: 0 });
    this.emit("reset", { group, reason, ...position });
  }

  present({ type, ...change }) {
    if (this.#groups.get(change.group)?.joined) this.emit("presence", change);
  }

  #joined(membership, group, frame) {
    const [end, recovered] = [positionOf(frame), recoveredOf(frame)];
    const { replica, reset, member, presence } = frame;
    membership.joined = true;
    membership.ephemeral = !end;
    membership.recovering = end ? recovered : 0;
    // What is recovered tells its own epochs; until then the position is what it was.
    const epoch = (!reset && recovered && membership.position?.epoch) || end?.epoch;
    membership.position = end && { epoch, offset: end.offset - recovered };
    membership.resolve();
    this.emit("joined", { group, replica, recovered, reset, ...end, ...(member && { member }), ...(presence && { presence }) });
    if (reset) this.emit("reset", { group, reason: reset, ...end });
  }
}
