/** The messages of the room: appended at the end, followed by the view only while the reader is there. */
import { colourOf } from "../fanout/colours.js";

/** Messages kept in the page: more would make it slow. */
const KEPT = 500;
/** A message within this time in ms after one of the same person stands below it without a new name. */
const SAME_BREATH_MS = 3 * 60_000;
/** So near to the end, in px, counts as being there. */
const NEAR_PX = 40;
/** So near to the beginning, in px, older messages are asked for. */
const AHEAD_PX = 300;

/** @typedef {import("../fanout/positions.js").Position} Position */

const timeOfDay = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });

const keyOf = (/** @type {Position} */ { epoch, offset }) => `${epoch}:${offset}`;

/** @param {string} tag @param {string} className @param {string} [text] */
function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

export class MessageLog {
  #unread = 0;
  #atEnd = true;
  #frame = 0;
  /** Of all there was when the view was last seen at the end, in px. */
  #height = 0;
  /** Whose each message is, and when it was said. @type {WeakMap<Element, {key: string, time: number}>} */ #said = new WeakMap();

  /** The position of each message that has one. @type {WeakMap<Element, Position>} */ #positions = new WeakMap();
  /** @type {Set<string>} */ #shown = new Set();

  /** @param {{scroller: HTMLElement, list: HTMLElement, empty: HTMLElement, pill: HTMLElement, nearBeginning?: () => void}} parts
   * `nearBeginning` is called when the reader scrolls towards the oldest message.
   */
  constructor({ scroller, list, empty, pill, nearBeginning = () => {} }) {
    this.nearBeginning = nearBeginning;
    this.scroller = scroller;
    this.list = list;
    this.empty = empty;
    this.pill = pill;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    pill.addEventListener("click", () => {
      this.#follow();
      scroller.focus({ preventScroll: true });
    });
    // The keyboard of a phone, a growing composer or a button above must not push the last message out of sight.
    const sizes = new ResizeObserver(() => this.#atEnd && this.#toEnd());
    for (const each of [scroller, ...scroller.children]) sizes.observe(each);
  }

  /** Show a message at the end; `time` is null when nobody knows when it was said.
   * @param {{text: string, name: string, own?: boolean, time?: number | null, position?: Position, account?: boolean}} message
   */
  message(message) {
    const item = this.#made(message);
    this.#append(item, message.own ?? false);
    this.#regroup(item);
    return item;
  }

  /** Show messages before all others, without moving what the reader looks at; those that are there already are left out.
   * @param {{text: string, name: string, own?: boolean, position: Position, account?: boolean}[]} messages Oldest first.
   */
  before(messages) {
    const items = messages.filter(({ position }) => !this.#shown.has(keyOf(position))).map((each) => this.#made({ ...each, time: null }));
    const next = this.list.firstElementChild;
    const { scrollHeight, scrollTop } = this.scroller;
    this.list.prepend(...items);
    for (const item of [...items, next]) if (item) this.#regroup(item);
    const grown = this.scroller.scrollHeight - scrollHeight;
    this.#height += grown;
    this.scroller.scrollTop = scrollTop + grown;
    if (items.length) this.empty.hidden = true;
  }

  /** The position of the oldest message that is shown; null if none has one. */
  get oldest() {
    for (const item of this.list.children) {
      const position = this.#positions.get(item);
      if (position) return position;
    }
    return null;
  }

  /** @param {{text: string, name: string, own?: boolean, time?: number | null, position?: Position, account?: boolean}} message */
  #made({ text, name, own = false, time = Date.now(), position, account = false }) {
    const item = element("li", "message");
    item.dataset.series = String(colourOf(name));
    const who = element("span", "who", name);
    item.append(who);
    if (account) {
      const mark = element("span", "account", "✓");
      mark.title = "This name is an account's.";
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", "logged in");
      who.append(" ", mark);
    }
    if (time !== null) {
      const when = element("time", "when", timeOfDay.format(time));
      when.setAttribute("datetime", new Date(time).toISOString());
      item.append(when);
    }
    item.append(element("p", "text", text));
    this.#said.set(item, { key: account ? `${name} ✓` : name, time: time ?? 0 });
    if (own) this.#mark(item);
    if (position) {
      this.#positions.set(item, position);
      this.#shown.add(keyOf(position));
    }
    return item;
  }

  /** A message that is shown turns out to be one's own. @param {HTMLElement} [item] */
  own(item) {
    if (!item || item.hasAttribute("data-own")) return;
    this.#mark(item);
    for (const changed of [item, item.nextElementSibling]) if (changed) this.#regroup(changed);
  }

  /** @param {HTMLElement} item */
  #mark(item) {
    const said = this.#said.get(item);
    if (said) said.key += " (you)";
    item.toggleAttribute("data-own", true);
    item.querySelector(".who")?.append(" ", element("span", "you", "you"));
  }

  /** Tell whether a message goes on what the one before it began. @param {Element} item */
  #regroup(item) {
    const before = item.previousElementSibling && this.#said.get(item.previousElementSibling);
    const said = this.#said.get(item);
    const follows = before && said && before.key === said.key && said.time - before.time < SAME_BREATH_MS;
    item.toggleAttribute("data-follows", Boolean(follows));
  }

  /** Older messages are coming, which a screen reader need not read out one by one. @param {boolean} busy */
  loading(busy) {
    this.scroller.setAttribute("aria-busy", String(busy));
  }

  /** All that the room has is on its way: if that is nothing, it may be said. */
  ready() {
    this.empty.hidden = this.scroller.getAttribute("aria-busy") === "true" || this.list.childElementCount > 0;
  }

  /** A sentence between the messages, where some are missing. @param {string} text */
  note(text) {
    this.#append(element("li", "note", text), false);
  }

  /** @param {HTMLElement} item @param {boolean} own */
  #append(item, own) {
    this.empty.hidden = true;
    this.list.append(item);
    while (this.#atEnd && this.list.childElementCount > KEPT) this.#forget(this.list.firstElementChild);
    if (own || this.#atEnd) this.#follow();
    else this.#showUnread(this.#unread + 1);
  }

  /** @param {Element | null} item */
  #forget(item) {
    const position = item && this.#positions.get(item);
    if (position) this.#shown.delete(keyOf(position));
    item?.remove();
  }

  /** Go to the end with the next frame: many messages in one frame cost one layout. */
  #follow() {
    this.#atEnd = true;
    this.#showUnread(0);
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#toEnd();
    });
  }

  #toEnd() {
    this.#height = this.scroller.scrollHeight;
    this.scroller.scrollTop = this.#height;
  }

  #scrolled() {
    if (this.#frame) return; // the position is about to be ours
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    if (this.#atEnd && scrollHeight !== this.#height) return this.#toEnd(); // what is in it has changed: nobody went up
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (this.#atEnd) {
      this.#height = scrollHeight;
      this.#showUnread(0);
    }
    if (scrollTop < AHEAD_PX && !this.#atEnd) this.nearBeginning();
  }

  /** @param {number} unread */
  #showUnread(unread) {
    this.#unread = unread;
    this.pill.hidden = unread === 0;
    this.pill.textContent = unread === 1 ? "1 new message" : `${unread} new messages`;
  }
}
