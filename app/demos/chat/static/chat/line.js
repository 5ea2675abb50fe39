/** The line to the server in sight: who answers, in which state it is, and when the next attempt is due. */
import { countdown, lineState } from "./rules.js";

/** How often the countdown is looked at, in ms: often enough that no second is skipped. */
const TICK_MS = 250;
/** A wait that is shorter, in ms, is over before anyone could cut it short. */
const WORTH_A_BUTTON_MS = 1_000;

export class Line {
  #known = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #ticking;

  /** @param {{replica: HTMLElement, answered: HTMLElement, state: HTMLElement, countdown: HTMLElement, retry: HTMLElement}} parts */
  constructor({ replica, answered, state, countdown: clock, retry }) {
    this.replica = replica;
    this.answered = answered;
    this.state = state;
    this.clock = clock;
    this.retry = retry;
  }

  /** @param {import("../fanout/client.js").State} state @param {boolean} joined */
  show(state, joined) {
    document.body.dataset.line = state.state === "open" && !joined ? "connecting" : state.state;
    this.#say(lineState(state, joined));
    this.answered.textContent = this.#known && !joined ? "last answered by" : "answered by";
    const left = (state.retryAt ?? 0) - Date.now();
    this.retry.hidden = !(state.state === "closed" || (state.state === "waiting" && left > WORTH_A_BUTTON_MS));
    clearInterval(this.#ticking);
    this.clock.textContent = "";
    if (state.state === "waiting" && !state.offline) {
      const tick = () => (this.clock.textContent = countdown((state.retryAt ?? 0) - Date.now()));
      this.#ticking = setInterval(tick, TICK_MS);
      tick();
    }
  }

  /** @param {string} name */
  answeredBy(name) {
    this.#known = true;
    this.replica.textContent = name;
  }

  /** A screen reader repeats what is set again, even when it is the same. @param {string} words */
  #say(words) {
    if (this.state.textContent !== words) this.state.textContent = words;
  }
}
