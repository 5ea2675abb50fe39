/** Keys and pointer as a wish to walk. */
import { WALKING, direction } from "./rules.js";

export class Controls {
  /** @type {Set<string>} */ #held = new Set();
  /** @type {{x: number, y: number} | null} */ #target = null;

  /** @param {HTMLElement} canvas @param {(pointer: PointerEvent) => {x: number, y: number}} placeOf */
  constructor(canvas, placeOf) {
    addEventListener("keydown", (event) => {
      const typing = event.target instanceof HTMLInputElement;
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !WALKING.has(event.code)) return;
      event.preventDefault(); // the page must not scroll along
      this.#held.add(event.code);
      this.#target = null;
    });
    addEventListener("keyup", ({ code }) => this.#held.delete(code));
    addEventListener("blur", () => this.rest());
    document.addEventListener("visibilitychange", () => this.rest());
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#target = placeOf(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.#target = placeOf(event);
    });
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, () => (this.#target = null));
  }

  get wish() {
    return { keys: direction(this.#held), target: this.#target };
  }

  /** Let everything go: a key that is released elsewhere is never heard of. */
  rest() {
    this.#held.clear();
    this.#target = null;
  }
}
