/**
 * What the fleet's page knows, without a page: rows of replicas become states, sums, latencies and events.
 *
 * @typedef {{replica: string, run: string, pid: number, state: string, trouble: string[], version: string, uptime: number,
 *   connections: number | null, streams: number, memory: number, lag: number, publications: number, deliveries: number,
 *   handshakes: number, latency: number[], groups: [string, number, number][], group_count: number,
 *   events: [number, number, string, string][]}} Row
 * @typedef {Row & {at: number, gone: boolean, most: number}} Replica `at`: when it spoke last, in ms; `most`: connections when its drain began.
 * @typedef {{key: string, at: number, kind: string, replica: string, text: string}} Event
 */

/** Ms that others speak and a replica does not, after which it is gone: two rows that did not come, and some time. */
export const SILENT_MS = 3_500;
/** Ms that the page may be away and still knows who it was that came back. */
const AWAY_MS = 10_000;
/** After which one that is gone is not shown any more. */
export const FORGOTTEN_MS = 60_000;
/** Silence of all, in ms, after which the page says so. */
export const QUIET_MS = 4_500;
/** Events that are kept. */
export const EVENTS_LIMIT = 60;
/** Groups that are shown. */
const GROUPS_LIMIT = 8;

/** web-2 comes before web-10. @param {string} one @param {string} other */
export const byName = (one, other) => one.localeCompare(other, "en", { numeric: true });

/** The fleet as its rows tell it. */
export class Fleet {
  /** @type {Map<string, Replica>} */ replicas = new Map();
  /** Newest first. @type {Event[]} */ events = [];
  /** @type {Set<string>} */ #seen = new Set();

  #newest = 0;

  /** A row has come. @param {Row} row @param {number} now */
  take(row, now) {
    if (now - this.#newest > SILENT_MS) this.#forgive(now);
    this.#newest = now;
    const before = this.replicas.get(row.replica);
    if (before && before.run !== row.run && !before.gone) this.#vanished(before, now);
    for (const [number, at, kind, text] of row.events) this.#add({ key: `${row.replica} ${row.run} ${number}`, at, kind, replica: row.replica, text });
    if (before?.gone && before.run === row.run) this.#add({ key: `${row.replica} ${row.run} back ${now}`, at: now, kind: "good", replica: row.replica, text: "speaks again" });
    const drains = row.state === "draining" && before?.run === row.run;
    const most = Math.max(row.connections ?? 0, drains ? before.most : 0);
    this.replicas.set(row.replica, { ...row, at: now, gone: row.state === "left", most });
    this.#judge(now);
  }

  /** Who does not speak while others do is gone. @param {number} now */
  #judge(now) {
    for (const [name, replica] of this.replicas) {
      if (!replica.gone && now - replica.at > SILENT_MS) {
        if (replica.state === "draining") replica.state = "left";
        else this.#vanished(replica, now);
        replica.gone = true;
      }
      if (replica.gone && now - replica.at > FORGOTTEN_MS) this.replicas.delete(name);
    }
  }

  /** Nobody was heard for a while: that says nothing of any of them. @param {number} now */
  #forgive(now) {
    if (now - this.#newest > AWAY_MS) this.replicas.clear();
    for (const replica of this.replicas.values()) if (!replica.gone) replica.at = now;
  }

  /** It was heard last when it was heard last: what follows it comes behind that. @param {Replica} replica @param {number} now */
  #vanished({ replica, run, pid, state, at }, now) {
    if (state === "draining") return;
    this.#add({ key: `${replica} ${run} gone ${now}`, at, kind: "bad", replica, text: `is gone without a word, process ${pid}` });
  }

  /** @param {Event} event */
  #add(event) {
    if (this.#seen.has(event.key)) return;
    this.#seen.add(event.key);
    this.events.push(event);
    this.events.sort((one, other) => other.at - one.at);
    this.events.length = Math.min(this.events.length, EVENTS_LIMIT);
  }

  /** By name; those that are gone among them. */
  get all() {
    return [...this.replicas.values()].sort((one, other) => byName(one.replica, other.replica));
  }

  get living() {
    return this.all.filter(({ gone }) => !gone);
  }
}

/** Seconds within which `share` of the counted lie, straight within a bucket; undefined where nothing was counted.
 * @param {number[]} counts One for each bound, and one for what is above all of them. @param {number[]} bounds @param {number} share
 */
export function quantile(counts, bounds, share) {
  const all = counts.reduce((sum, count) => sum + count, 0);
  let [rest, low] = [all * share, 0];
  if (!all) return undefined;
  for (const [i, bound] of bounds.entries()) {
    if (counts[i] && rest <= counts[i]) return low + ((bound - low) * rest) / counts[i];
    rest -= counts[i];
    low = bound;
  }
  return low;
}

/** What all replicas together do. @param {Replica[]} living @param {number[]} bounds */
export function totals(living, bounds) {
  const sum = (/** @type {(row: Row) => number} */ figure) => living.reduce((all, row) => all + figure(row), 0);
  const counts = bounds.concat(0).map((_, i) => sum(({ latency }) => latency[i] ?? 0));
  return {
    connections: sum(({ connections, streams }) => (connections ?? 0) + streams),
    publications: sum(({ publications }) => publications),
    deliveries: sum(({ deliveries }) => deliveries),
    handshakes: sum(({ handshakes }) => handshakes),
    median: quantile(counts, bounds, 0.5),
    worst: quantile(counts, bounds, 0.99),
  };
}

/** The busiest groups, as far as the replicas name theirs. @param {Replica[]} living */
export function busiest(living) {
  /** @type {Map<string, {name: string, subscriptions: number, publications: number, deliveries: number}>} */ const groups = new Map();
  for (const row of living) {
    for (const [name, subscriptions, rate] of row.groups) {
      const known = groups.get(name) ?? { name, subscriptions: 0, publications: 0, deliveries: 0 };
      known.subscriptions += subscriptions;
      known.publications = Math.max(known.publications, rate); // each replica hears the same ones
      known.deliveries += rate * subscriptions;
      groups.set(name, known);
    }
  }
  return [...groups.values()].sort((one, other) => other.deliveries - one.deliveries || other.subscriptions - one.subscriptions || byName(one.name, other.name)).slice(0, GROUPS_LIMIT);
}

const STATES = new Map([["ready", "good"], ["starting", "wait"], ["draining", "wait"], ["degraded", "bad"], ["stuck", "bad"]]);

/** A replica's state in words, and its kind. @param {Replica} replica */
export function stateOf({ state, gone, trouble, connections }) {
  if (state === "left") return { words: "left", kind: "wait", more: "as planned" };
  if (gone) return { words: "gone", kind: "bad", more: "without a word" };
  const more = state === "draining" ? `${(connections ?? 0).toLocaleString("en")} to go` : trouble.join(" ");
  return { words: state, kind: STATES.get(state) ?? "wait", more };
}

/** A time span for people. @param {number} seconds */
export function inSpan(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${Math.floor(seconds) % 60} s` : `${Math.floor(seconds)} s`;
}

/** A latency for people. @param {number | undefined} seconds */
export function inMs(seconds) {
  if (seconds === undefined) return "–";
  const ms = seconds * 1_000;
  return `${ms.toLocaleString("en", { maximumFractionDigits: ms < 10 ? 1 : 0 })} ms`;
}

/** The fleet in a sentence. @param {Replica[]} all @param {ReturnType<typeof totals>} sums */
export function inWords(all, sums) {
  const living = all.filter(({ gone }) => !gone);
  if (!living.length) return "Waiting for the first word of a replica.";
  const count = (/** @type {number} */ number, /** @type {string} */ what) => `${Math.round(number).toLocaleString("en")} ${what}${Math.round(number) === 1 ? "" : "s"}`;
  const ready = living.filter(({ state }) => state === "ready").length;
  const versions = new Set(living.map(({ version }) => version));
  const who = ready === living.length ? `${count(ready, "replica")}, ${ready === 1 ? "" : "all "}ready` : `${ready} of ${count(living.length, "replica")} ready`;
  const what = versions.size === 1 ? `version ${[...versions][0]}` : `${versions.size} versions`;
  return `${who}, ${what}; ${count(sums.connections, "connection")}.`;
}

/** Why there is nothing new to see, in a sentence; empty when there is.
 * @param {{joined: boolean, refused?: boolean, any: boolean, quietMs: number}} state
 */
export function noticeOf({ joined, refused = false, any, quietMs }) {
  if (refused) return "You are not logged in as staff any more. Reload the page to log in again.";
  if (!joined) return any ? "The figures stand still until the connection is back." : "";
  if (quietMs < QUIET_MS) return "";
  return "The replicas say nothing at the moment: Redis may be away. The page goes on by itself when it is back.";
}
