/** The message field. What was typed leaves it for good only when the server has confirmed it. */
import { refusal } from "./rules.js";

export class Composer {
  /** What was given back and still stands at the beginning of the field. */
  #returned = "";

  /**
   * @param {object} parts
   * @param {HTMLFormElement} parts.form
   * @param {HTMLTextAreaElement} parts.field
   * @param {HTMLElement} parts.problem Where sentences about what went wrong stand; a live region.
   * @param {number} parts.maxBytes
   * @param {() => string | null} parts.obstacle Why nothing can be sent now, as a sentence.
   * @param {(text: string) => void} parts.send
   * @param {() => void} parts.changed Called whenever what the field holds has changed.
   */
  constructor({ form, field, problem, maxBytes, obstacle, send, changed }) {
    this.field = field;
    this.problem = problem;
    this.maxBytes = maxBytes;
    this.obstacle = obstacle;
    this.send = send;
    this.changed = changed;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    field.addEventListener("input", () => this.#edited());
  }

  get text() {
    return this.field.value;
  }

  set text(text) {
    this.field.value = text;
    this.#edited();
  }

  /** Say what went wrong, or nothing. @param {string} sentence */
  tell(sentence) {
    this.problem.textContent = sentence;
    this.field.setAttribute("aria-invalid", String(sentence !== ""));
  }

  /** Say nothing more than what is wrong with the text itself. */
  check() {
    this.tell(refusal(this.text, this.maxBytes) ?? "");
  }

  /** Put a text that was not sent back, before what was typed since; several keep their order.
   * @param {string} text @param {string} sentence
   */
  giveBack(text, sentence) {
    const before = this.text.startsWith(this.#returned) ? this.#returned : "";
    const typed = this.text.slice(before.length).replace(/^\n/, "");
    this.#returned = [before, text].filter(Boolean).join("\n");
    this.text = [this.#returned, typed].filter(Boolean).join("\n");
    this.tell(sentence);
  }

  #submit() {
    const text = this.text.trimEnd();
    if (!text.trim()) return;
    const sentence = refusal(text, this.maxBytes) ?? this.obstacle();
    if (sentence) {
      this.tell(sentence);
      return;
    }
    this.#returned = "";
    this.send(text);
    this.text = "";
  }

  #edited() {
    this.check();
    this.field.style.height = "auto";
    // Borders count in the height that is set and not in the one that is read.
    this.field.style.height = `${this.field.scrollHeight + this.field.offsetHeight - this.field.clientHeight}px`;
    this.changed();
  }
}
