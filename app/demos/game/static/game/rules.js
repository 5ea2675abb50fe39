/**
 * The game without a page: who stands where, who got what. All times in ms.
 *
 * @typedef {{at: number, x: number, y: number}} Place
 * @typedef {{id: string, name: string, x: number, y: number, colour: number}} Shown
 * @typedef {{number: number, x: number, y: number}} Gem
 */
import { COLOURS, colourOf } from "../fanout/colours.js";

export { COLOURS, colourOf };

/** Others are drawn so far in the past: two steps at 20 Hz, so that there is one to walk towards. */
export const BEHIND_MS = 100;
/** Places of one player that are kept: what fits between two drawings and BEHIND_MS. */
const PLACES = 8;
/** Players that are shown at most: whoever publishes must not be able to stop a browser. */
export const SHOWN_LIMIT = 300;
/** Claims that are kept until their round is opened. */
const EARLY_LIMIT = 100;
/** Lines of the score. */
const SCORES = 8;

/** Where someone was at a time, between the places that are known. @param {Place[]} places @param {number} time */
export function placeAt(places, time) {
  const after = places.findIndex(({ at }) => at > time);
  if (after <= 0) {
    const { x, y } = places[after < 0 ? places.length - 1 : 0];
    return { x, y };
  }
  const [one, other] = [places[after - 1], places[after]];
  const part = (time - one.at) / (other.at - one.at);
  return { x: one.x + (other.x - one.x) * part, y: one.y + (other.y - one.y) * part };
}

/** The players as this page has heard of them. */
export class Crowd {
  /** @type {Map<string, {name: string, places: Place[]}>} */ #players = new Map();

  /** Whether the last one to go went without a word. */
  silenced = false;

  /** @param {number} silence Ms without a word after which a player is gone. */
  constructor(silence) {
    this.silence = silence;
  }

  /** @param {any} data A publication of the arena. @param {number} now */
  hear(data, now) {
    if (typeof data?.id !== "string") return;
    this.silenced = false;
    if (data.gone) {
      this.#players.delete(data.id);
      return;
    }
    const { id, x, y } = data;
    if (!Number.isFinite(x) || !Number.isFinite(y)) return;
    let player = this.#players.get(id);
    if (!player && this.#players.size >= SHOWN_LIMIT) return;
    if (!player) this.#players.set(id, (player = { name: "", places: [] }));
    player.name = String(data.name ?? "");
    const last = player.places.at(-1);
    // After a rest the walk begins now, not when it last said that it stands.
    if (last && now - last.at > 2 * BEHIND_MS) player.places.push({ ...last, at: now - BEHIND_MS / 2 });
    player.places.push({ at: now, x, y });
    if (player.places.length > PLACES) player.places.splice(0, player.places.length - PLACES);
  }

  /** @param {number} now @returns {Shown[]} */
  shown(now) {
    const all = [];
    for (const [id, { name, places }] of this.#players) {
      if (now - places[places.length - 1].at > this.silence) this.silenced = this.#players.delete(id);
      else all.push({ id, name, colour: colourOf(id), ...placeAt(places, now - BEHIND_MS) });
    }
    return all;
  }

  get size() {
    return this.#players.size;
  }
}

/** Rounds and claims, as the stream of the arena's gems tells them: every page adds up the same. */
export class Score {
  /** @type {{round: number, begins: number, ends: number, gems: number[][]} | null} */ round = null;
  /** @type {Map<number, string>} gem → player */ taken = new Map();
  /** @type {Map<string, {id: string, name: string, gems: number}>} */ #players = new Map();
  /** Claims that came before their round: replicas do not wait for each other. @type {any[]} */ #early = [];
  /** Who won the round before, if anyone took part. @type {{id: string, name: string, gems: number} | null} */ winner = null;

  /** Returns whether it changed anything. @param {any} data */
  hear(data) {
    if (!Number.isSafeInteger(data?.round)) return false;
    if (Array.isArray(data.gems)) return this.#open(data);
    const { round, gem, by, name } = data;
    if (round > (this.round?.round ?? -1)) this.#early = [...this.#early, data].slice(-EARLY_LIMIT);
    if (round !== this.round?.round || !Number.isSafeInteger(gem) || typeof by !== "string" || this.taken.has(gem)) return false;
    this.taken.set(gem, by);
    this.#players.set(by, { id: by, name: String(name), gems: (this.#players.get(by)?.gems ?? 0) + 1 });
    return true;
  }

  /** @param {any} data */
  #open(data) {
    if (this.round && data.round <= this.round.round) return false;
    this.winner = this.first()[0] ?? null;
    this.round = { round: data.round, begins: data.begins * 1000, ends: data.ends * 1000, gems: data.gems };
    this.taken = new Map();
    this.#players = new Map();
    const early = this.#early;
    this.#early = [];
    for (const claim of early) this.hear(claim);
    return true;
  }

  /** Whether the round is on. @param {number} now Server time in ms. */
  isOn(now) {
    return this.round !== null && now < this.round.ends;
  }

  /** Gems that are there to be taken. @param {number} now Server time in ms. @returns {Gem[]} */
  open(now) {
    if (!this.round || !this.isOn(now)) return [];
    const { gems, begins } = this.round;
    return gems
      .map(([x, y, after], number) => ({ number, x, y, after }))
      .filter(({ number, after }) => !this.taken.has(number) && now >= begins + after * 1000);
  }

  /** Gems of the round that nobody has, also those to come. */
  get left() {
    return this.round ? this.round.gems.length - this.taken.size : 0;
  }

  /** Who has most, the first of equals first. @param {number} [count] */
  first(count = SCORES) {
    return [...this.#players.values()].sort((one, other) => other.gems - one.gems).slice(0, count);
  }

  /** @param {string | null} id */
  of(id) {
    return (id && this.#players.get(id)?.gems) || 0;
  }
}

/** Where a walk leads: keys give a direction, a pointer a target to stop at.
 * @param {{x: number, y: number}} from
 * @param {{keys: {x: number, y: number}, target: {x: number, y: number} | null}} wish
 * @param {number} reach Units that can be walked. @param {{width: number, height: number}} walls
 */
export function walk(from, { keys, target }, reach, { width, height }) {
  const [dx, dy] = keys.x || keys.y ? [keys.x * reach, keys.y * reach] : target ? [target.x - from.x, target.y - from.y] : [0, 0];
  const length = Math.hypot(dx, dy);
  const part = length > reach ? reach / length : 1;
  const inside = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(Math.max(value, 0), most);
  return { x: inside(from.x + dx * part, width), y: inside(from.y + dy * part, height) };
}

const LEFT = ["ArrowLeft", "KeyA"];
const RIGHT = ["ArrowRight", "KeyD"];
const UP = ["ArrowUp", "KeyW"];
const DOWN = ["ArrowDown", "KeyS"];
/** Keys that walk, by their place on the keyboard. */
export const WALKING = new Set([...LEFT, ...RIGHT, ...UP, ...DOWN]);

/** The direction of the keys that are held. @param {Set<string>} held */
export function direction(held) {
  const any = (/** @type {string[]} */ keys) => Number(keys.some((key) => held.has(key)));
  return { x: any(RIGHT) - any(LEFT), y: any(DOWN) - any(UP) };
}

/** What to tell a player whose step was refused, by the error's code; nothing where the line itself says it.
 * @param {{code: string, message: string}} error
 */
export function refusedStep({ code, message }) {
  if (code === "not_connected" || code === "unacknowledged") return "";
  return code === "unavailable" ? "The server can't reach Redis: your steps reach nobody at the moment." : message;
}

/** Why there is nothing to see, in a sentence; empty when there is.
 * @param {{on: boolean, players: number, silenced: boolean, scores: number}} state
 */
export function idleWords({ on, players, silenced, scores }) {
  if (!players && silenced) return "Nobody is heard any more: they went without a word, or the server can't reach Redis.";
  if (!players && !on) return "Nobody plays at the moment: a round begins with the first step.";
  return scores ? "" : "Nobody has a gem in this round yet.";
}

const TEMPERS = ["Brisk", "Calm", "Deft", "Keen", "Nimble", "Quick", "Quiet", "Sly", "Spry", "Swift"];
const ANIMALS = ["Badger", "Ermine", "Fox", "Hare", "Lynx", "Marten", "Otter", "Stoat", "Vole", "Wolf"];

/** A name for someone who has not given one. @param {() => number} [random] */
export function guestName(random = Math.random) {
  const pick = (/** @type {string[]} */ words) => words[Math.floor(random() * words.length)];
  return `${pick(TEMPERS)} ${pick(ANIMALS)}`;
}
