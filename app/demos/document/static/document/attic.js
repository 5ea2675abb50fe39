/**
 * Changes that were not confirmed when a page ended: kept in this browser, and published by the next page of the document.
 *
 * Each page writes under a key of its own. Two pages that publish the same change do no harm.
 */
import { fromBase64, toBase64 } from "./rules.js";

/** Ms between two times that they are written: a crash loses so much. */
const KEEP_MS = 300;

export class Attic {
  #prefix;
  #key;
  /** What other pages left, as it was read: by key. @type {Map<string, string>} */ #found = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {string} name The document's. @param {string} page This page's, like no other's. @param {Storage | null} storage */
  constructor(name, page, storage) {
    this.storage = storage;
    this.#prefix = `document.unsent.${name}/`;
    this.#key = this.#prefix + page;
  }

  /** What pages before this one have left. */
  take() {
    for (const key of this.#keys()) {
      const text = this.storage?.getItem(key);
      if (text) this.#found.set(key, text);
    }
    return [...this.#found.values()].flatMap(decoded);
  }

  /** All of that is confirmed. A page that still lives may have written more since. */
  clear() {
    for (const [key, text] of this.#found) if (this.storage?.getItem(key) === text) this.storage.removeItem(key);
    this.#found.clear();
  }

  /** Keep what is to be had then, soon. @param {() => Uint8Array | null} unsent */
  keepSoon(unsent) {
    this.#timer ??= setTimeout(() => this.keep(unsent()), KEEP_MS);
  }

  /** @param {Uint8Array | null} update */
  keep(update) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      if (update) this.storage?.setItem(this.#key, toBase64(update));
      else this.storage?.removeItem(this.#key);
    } catch {
      // full: kept for as long as the page lives
    }
  }

  #keys() {
    const { storage } = this;
    const all = storage ? Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? "") : [];
    return all.filter((key) => key.startsWith(this.#prefix));
  }
}

/** @param {string} text */
function decoded(text) {
  try {
    return [fromBase64(text)];
  } catch {
    return []; // somebody else's
  }
}
