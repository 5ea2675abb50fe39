/** A field and a shared text, kept the same; who writes keeps their place, and a word being composed is not disturbed. */
import { UndoManager } from "./vendor/yjs.js";
import { changeBetween, endOf, moved, rebased } from "./rules.js";

/** Changes within so many ms are undone together. */
const TOGETHER_MS = 500;

export class Binding {
  /** What the field held when it was last in step. */
  #shown = "";
  /** What came while a word was composed. @type {import("./rules.js").Delta[]} */ #waiting = [];
  #composing = false;

  /** @param {{field: HTMLTextAreaElement, text: import("./vendor/yjs.js").Text, changed: () => void}} parts */
  constructor({ field, text, changed }) {
    this.field = field;
    this.text = text;
    this.changed = changed;
    this.undoManager = new UndoManager(text, { trackedOrigins: new Set([this]), captureTimeout: TOGETHER_MS });
    this.#show();
    text.observe((/** @type {any} */ event, /** @type {any} */ transaction) => this.#heard(event.delta, transaction.origin));
    field.addEventListener("input", () => this.#composing || this.#typed());
    field.addEventListener("compositionstart", () => (this.#composing = true));
    field.addEventListener("compositionend", () => this.#composed());
    field.addEventListener("beforeinput", (event) => this.#before(event));
    field.addEventListener("keydown", (event) => this.#key(event));
  }

  undo() {
    this.undoManager.undo();
  }

  redo() {
    this.undoManager.redo();
  }

  #typed() {
    const { value, selectionEnd } = this.field;
    const change = changeBetween(this.#shown, value, selectionEnd);
    this.#shown = value;
    if (!change) return;
    this.text.doc?.transact(() => {
      if (change.remove) this.text.delete(change.at, change.remove);
      if (change.insert) this.text.insert(change.at, change.insert);
    }, this);
    this.changed();
  }

  /** @param {import("./rules.js").Delta} delta @param {unknown} origin */
  #heard(delta, origin) {
    if (origin === this) return;
    if (this.#composing) {
      this.#waiting.push(delta);
      return;
    }
    const { selectionStart, selectionEnd, selectionDirection } = this.field;
    const own = origin === this.undoManager;
    const [start, end] = own ? [endOf(delta), endOf(delta)] : [moved(selectionStart, delta), moved(selectionEnd, delta)];
    this.#show();
    this.field.setSelectionRange(start, end, selectionDirection);
    this.changed();
  }

  #show() {
    this.field.value = this.#shown = this.text.toString();
  }

  #composed() {
    this.#composing = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!waiting.length) return this.#typed();
    const { value, selectionEnd } = this.field;
    const change = changeBetween(this.#shown, value, selectionEnd);
    const { at, removes } = rebased(change ?? { at: selectionEnd, remove: 0, insert: "" }, this.#shown.length, waiting);
    this.text.doc?.transact(() => {
      for (const place of removes) this.text.delete(place, 1);
      if (change?.insert) this.text.insert(at, change.insert);
    }, this);
    this.#show();
    const caret = at + (change?.insert.length ?? 0);
    this.field.setSelectionRange(caret, caret);
    this.changed();
  }

  /** The browser's own undo knows nothing of what others wrote. @param {InputEvent} event */
  #before(event) {
    if (event.inputType !== "historyUndo" && event.inputType !== "historyRedo") return;
    event.preventDefault();
    if (event.inputType === "historyUndo") this.undo();
    else this.redo();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.isComposing) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) this.redo();
    else this.undo();
  }
}
