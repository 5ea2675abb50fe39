/** Where the others are in the text: carets with names, and what they have selected, drawn behind the field. */
import { createAbsolutePositionFromRelativePosition, createRelativePositionFromTypeIndex, decodeRelativePosition, encodeRelativePosition } from "./vendor/yjs.js";
import { colourOf, fromBase64, toBase64 } from "./rules.js";

/** Ms without a word after which a writer is gone; pages speak every 10 s. */
const SILENT_MS = 25_000;
/** Ms for which a name stands at a caret that has moved. */
const NAME_MS = 3_000;
/** Writers that are drawn at most, and lines of one selection: whoever publishes must not be able to stop a browser. */
const DRAWN_LIMIT = 50;
const LINES_LIMIT = 200;

/** @typedef {{id: string, name: string, account: boolean, said?: unknown, anchor?: any, head?: any, heardAt: number, movedAt: number}} Writer */

export class Cursors {
  /** @type {Map<string, Writer>} */ #writers = new Map();
  #node = document.createTextNode("");
  #frame = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /**
   * @param {object} parts
   * @param {HTMLTextAreaElement} parts.field
   * @param {HTMLElement} parts.mirror Holds the same text as the field, set the same way.
   * @param {HTMLElement} parts.layer Where carets are drawn.
   * @param {import("./vendor/yjs.js").Text} parts.text
   */
  constructor({ field, mirror, layer, text }) {
    this.field = field;
    this.mirror = mirror;
    this.layer = layer;
    this.text = text;
    mirror.replaceChildren(this.#node);
    new ResizeObserver(() => this.draw()).observe(mirror);
  }

  /** Who has said anything lately, and what they are called. */
  get heard() {
    this.#forget();
    return [...this.#writers.values()].map(({ id, name, account }) => ({ id, name, account }));
  }

  /** This page's own place, for the others. */
  get own() {
    const { selectionStart, selectionEnd, selectionDirection } = this.field;
    const places = [selectionStart, selectionEnd].map((place) => toBase64(encodeRelativePosition(createRelativePositionFromTypeIndex(this.text, place, -1))));
    if (selectionDirection === "backward") places.reverse();
    return { anchor: places[0], head: places[1] };
  }

  /** @param {any} data A publication of the cursors' group. */
  hear(data) {
    if (typeof data?.id !== "string") return;
    const { id, name, anchor, head, gone, account = false } = data;
    const before = this.#writers.get(id);
    this.#writers.delete(id);
    if (!gone) {
      const now = Date.now();
      const movedAt = before && before.said === head ? before.movedAt : now;
      const places = typeof head === "string" ? { anchor: placeOf(anchor ?? head), head: placeOf(head) } : {};
      this.#writers.set(id, /** @type {any} */ ({ id, name: String(name ?? ""), account, ...places, said: head, heardAt: now, movedAt }));
    }
    this.draw();
  }

  /** @param {string} id */
  leave(id) {
    if (this.#writers.delete(id)) this.draw();
  }

  /** Draw with the next frame: many changes in one frame cost one layout. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #forget() {
    const now = Date.now();
    for (const [id, { heardAt }] of this.#writers) if (now - heardAt > SILENT_MS) this.#writers.delete(id);
  }

  #draw() {
    this.#forget();
    // Behind the last line there is always one more unit: a line that is empty has a height, and each place a box.
    const shown = `${this.field.value}\u200b`;
    if (this.#node.data !== shown) this.#node.data = shown;
    const writers = [...this.#writers.values()].filter(({ head }) => head).slice(0, DRAWN_LIMIT);
    this.layer.replaceChildren(...writers.flatMap((writer) => this.#drawn(writer)));
    clearTimeout(this.#timer);
    if (this.#writers.size) this.#timer = setTimeout(() => this.draw(), 1_000);
  }

  /** @param {Writer} writer */
  #drawn({ id, name, anchor, head, movedAt }) {
    const [from, to] = [anchor, head].map((place) => this.#index(place));
    if (to === null) return [];
    const origin = this.mirror.getBoundingClientRect();
    const hue = String(colourOf(id));
    const boxes = from === null || from === to ? [] : this.#boxes(Math.min(from, to), Math.max(from, to)).slice(0, LINES_LIMIT);
    const selected = boxes.map((box) => part("selected", hue, origin, box, box.width));
    const place = this.#boxes(to, to + 1)[0];
    if (!place) return selected;
    const caret = part("caret", hue, origin, place, 0);
    const label = document.createElement("span");
    label.textContent = name;
    label.className = "name";
    caret.toggleAttribute("data-named", Date.now() - movedAt < NAME_MS);
    caret.toggleAttribute("data-right", place.left - origin.left > origin.width / 2);
    caret.append(label);
    return [...selected, caret];
  }

  /** @param {any} place @returns {number | null} */
  #index(place) {
    const found = place && createAbsolutePositionFromRelativePosition(place, /** @type {any} */ (this.text.doc));
    return found && found.type === this.text ? Math.min(found.index, this.#node.length - 1) : null;
  }

  /** @param {number} from @param {number} to */
  #boxes(from, to) {
    const range = document.createRange();
    range.setStart(this.#node, from);
    range.setEnd(this.#node, Math.min(to, this.#node.length));
    return [...range.getClientRects()];
  }
}

/** @param {string} className @param {string} hue @param {DOMRect} origin @param {DOMRect} box @param {number} width */
function part(className, hue, origin, box, width) {
  const made = document.createElement("div");
  made.className = className;
  made.dataset.series = hue;
  made.style.left = `${box.left - origin.left}px`;
  made.style.top = `${box.top - origin.top}px`;
  made.style.height = `${box.height}px`;
  if (width) made.style.width = `${width}px`;
  return made;
}

/** @param {unknown} text */
function placeOf(text) {
  try {
    return decodeRelativePosition(fromBase64(String(text)));
  } catch {
    return undefined;
  }
}
