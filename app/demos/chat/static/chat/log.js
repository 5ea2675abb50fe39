/** The messages of the room: appended at the end, followed by the view only while the reader is there. */
import { hueOf } from "./rules.js";

/** Messages kept in the page: more would make it slow, and the room keeps none. */
const KEPT = 500;
/** A message within this time in ms after one of the same person stands below it without a new name. */
const SAME_BREATH_MS = 3 * 60_000;
/** So near to the end, in px, counts as being there. */
const NEAR_PX = 40;

const timeOfDay = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });

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
  /** @type {{key: string, time: number} | null} */ #last = null;

  /** @param {{scroller: HTMLElement, list: HTMLElement, empty: HTMLElement, pill: HTMLElement}} parts */
  constructor({ scroller, list, empty, pill }) {
    this.scroller = scroller;
    this.list = list;
    this.empty = empty;
    this.pill = pill;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    pill.addEventListener("click", () => {
      this.#follow();
      scroller.focus({ preventScroll: true });
    });
    // The keyboard of a phone or a growing composer must not push the last message out of sight.
    new ResizeObserver(() => this.#atEnd && this.#follow()).observe(scroller);
  }

  /** @param {{text: string, name: string, own?: boolean, time?: number}} message */
  message({ text, name, own = false, time = Date.now() }) {
    const key = `${own} ${name}`;
    const item = element("li", "message");
    item.dataset.hue = String(hueOf(name));
    item.toggleAttribute("data-own", own);
    item.toggleAttribute("data-follows", this.#last?.key === key && time - this.#last.time < SAME_BREATH_MS);
    const who = element("span", "who", name);
    if (own) who.append(" ", element("span", "you", "you"));
    const when = element("time", "when", timeOfDay.format(time));
    when.setAttribute("datetime", new Date(time).toISOString());
    item.append(who, when, element("p", "text", text));
    this.#last = { key, time };
    this.#append(item, own);
  }

  /** A sentence about the line, between the messages. @param {string} text */
  note(text) {
    this.#last = null;
    this.#append(element("li", "note", text), false);
  }

  /** @param {HTMLElement} item @param {boolean} own */
  #append(item, own) {
    this.empty.hidden = true;
    this.list.append(item);
    while (this.list.childElementCount > KEPT) this.list.firstElementChild?.remove();
    if (own || this.#atEnd) this.#follow();
    else this.#showUnread(this.#unread + 1);
  }

  /** Go to the end with the next frame: many messages in one frame cost one layout. */
  #follow() {
    this.#atEnd = true;
    this.#showUnread(0);
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.scroller.scrollTop = this.scroller.scrollHeight;
    });
  }

  #scrolled() {
    if (this.#frame) return; // the position is about to be ours
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (this.#atEnd) this.#showUnread(0);
  }

  /** @param {number} unread */
  #showUnread(unread) {
    this.#unread = unread;
    this.pill.hidden = unread === 0;
    this.pill.textContent = unread === 1 ? "1 new message" : `${unread} new messages`;
  }
}
