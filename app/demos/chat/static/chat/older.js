/** Older messages than the room's stream holds: asked for when the reader comes to the beginning, or by a button. */

/** Messages of one request. */
const PORTION = 50;

/** @typedef {{data: any, epoch: string, offset: number}} Publication */

export class Older {
  #asking = false;

  /**
   * @param {object} parts
   * @param {string} parts.group
   * @param {HTMLButtonElement} parts.button
   * @param {HTMLElement} parts.said What there is to say of it; a live region.
   * @param {() => import("../fanout/positions.js").Position | null} parts.oldest
   * @param {(publications: Publication[]) => void} parts.show Takes them, oldest first.
   */
  constructor({ group, button, said, oldest, show }) {
    Object.assign(this, { group, button, said, oldest, show });
    /** @type {string} */ this.group;
    /** @type {HTMLButtonElement} */ this.button;
    /** @type {HTMLElement} */ this.said;
    button.addEventListener("click", () => this.ask());
  }

  /** There may be some. */
  offer() {
    if (this.said.dataset.end === undefined) this.button.hidden = false;
  }

  /** The reader is near the oldest message. The first of a stream has none before it, as far as a page can know. */
  askSoon() {
    if (!this.button.hidden && (this.oldest()?.offset ?? 0) > 1 && this.said.textContent === "") this.ask();
  }

  /** Ask for those before the oldest that is shown. */
  async ask() {
    if (this.#asking) return;
    this.#asking = true;
    this.#tell("Loading…", true);
    try {
      const { publications, forgotten } = await this.#fetch();
      this.#tell("", false);
      if (publications.length) this.show(publications);
      else this.#end(forgotten);
    } catch {
      this.#tell("Older messages can't be had just now. Try again in a moment.", false);
    } finally {
      this.#asking = false;
    }
  }

  /** @returns {Promise<{publications: Publication[], forgotten: boolean}>} */
  async #fetch() {
    const oldest = this.oldest();
    const before = oldest ? `&before=${oldest.epoch}:${oldest.offset}` : "";
    const answer = await fetch(`/history/${this.group}?last=${PORTION}${before}`, { headers: { Accept: "application/json" } });
    if (answer.status === 404) return { publications: [], forgotten: true }; // nobody knows the oldest any more
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  /** @param {boolean} forgotten */
  #end(forgotten) {
    this.button.hidden = true;
    this.said.dataset.end = "";
    this.said.textContent = forgotten ? "Older messages are not kept any more." : "This is the beginning.";
  }

  /** @param {string} words @param {boolean} busy */
  #tell(words, busy) {
    this.said.textContent = words;
    this.button.disabled = busy;
  }
}
