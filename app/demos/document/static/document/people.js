/** Who is here: what the group's presence knows, with the names that they have given themselves since. */
import { colourOf } from "./rules.js";

/** Names that are shown. */
const SHOWN_LIMIT = 12;

/** @typedef {{id: string, name: string, account?: boolean}} Person */

export class People {
  /** By member: the page's id and name. @type {Map<string, Person>} */ #members = new Map();
  #count = 0;

  /** @param {{presence?: {count: number, members: any[]}}} joined */
  joined({ presence }) {
    this.#members.clear();
    this.#count = presence?.count ?? 0;
    this.#enter(presence?.members);
  }

  /** Returns the ids of pages that have left. @param {any} change */
  changed({ count, join, leave, members }) {
    if (members) this.#members.clear();
    this.#count = count;
    this.#enter(members ?? join);
    /** @type {string[]} */ const gone = [];
    for (const member of leave ?? []) {
      const info = this.#members.get(member);
      if (info) gone.push(info.id);
      this.#members.delete(member);
    }
    return gone;
  }

  /** @param {any[] | undefined} members */
  #enter(members) {
    for (const { id, info } of members ?? []) if (typeof info?.id === "string") this.#members.set(id, info);
  }

  /** Everybody once, oneself first, those who poll and are in no presence too.
   * @param {Person} me @param {Person[]} heard What they called themselves since.
   */
  shown(me, heard) {
    const known = new Map([...this.#members.values(), ...heard].map((person) => [person.id, person]));
    known.delete(me.id);
    const others = [...known.values()].map(({ id, name, account = false }) => ({ id, name, account, colour: colourOf(id) }));
    others.sort((one, other) => one.name.localeCompare(other.name) || one.id.localeCompare(other.id));
    const count = Math.max(this.#count, others.length + 1);
    return { count, people: [{ ...me, colour: colourOf(me.id) }, ...others].slice(0, SHOWN_LIMIT) };
  }
}
