/** The line to the server in sight, on any page of the demos: its state in words, who answers, when the next attempt is due. */

/** How often the countdown is looked at, in ms: often enough that no second is skipped. */
const TICK_MS = 250;
/** A wait that is shorter, in ms, is over before anyone could cut it short. */
const WORTH_A_BUTTON_MS = 1_000;

/** How the fallbacks are told: a WebSocket is what everybody expects. */
const BY = { websocket: "", sse: " by an event stream", poll: " by polling" };

/** The state of a client in words.
 * @param {import("./client.js").State} state @param {boolean} joined
 */
export function stateInWords({ state, transport, offline, reason }, joined) {
  if (state === "open") return joined ? `Connected${BY[transport ?? "websocket"]}` : (reason ?? "Joining…");
  if (state === "connecting") return "Connecting…";
  if (state === "waiting") return offline ? "You are offline. Trying again when the network is back" : "Connection lost. Trying again";
  return reason ? `The server closed the connection: ${reason}` : "The server closed the connection.";
}

/** @param {number} ms */
export const secondsLeft = (ms) => (ms > 0 ? `in ${Math.ceil(ms / 1000)} s` : "");

/** Show the client's line in the page's frame (`demo.html`), from now on.
 * @param {import("./client.js").FanoutClient} client
 */
export function showLine(client) {
  const part = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const [words, clock, retry] = [part("state"), part("countdown"), part("retry")];
  let [joined, known] = [false, false];
  /** @type {string | undefined} */ let reason;
  /** @type {ReturnType<typeof setInterval> | undefined} */ let ticking;

  const show = () => {
    const state = { ...client.state, ...(reason && { reason }) };
    document.body.dataset.line = state.state === "open" && !joined ? "connecting" : state.state;
    // A screen reader repeats what is set again, even when it is the same.
    const sentence = stateInWords(state, joined);
    if (words.textContent !== sentence) words.textContent = sentence;
    part("answered").textContent = known && !joined ? "last answered by" : "answered by";
    const left = () => (state.retryAt ?? 0) - Date.now();
    retry.hidden = !(state.state === "closed" || (state.state === "waiting" && left() > WORTH_A_BUTTON_MS));
    clearInterval(ticking);
    clock.textContent = "";
    if (state.state !== "waiting" || state.offline) return;
    const tick = () => (clock.textContent = secondsLeft(left()));
    ticking = setInterval(tick, TICK_MS);
    tick();
  };

  client.on("state", ({ state }) => {
    joined &&= state === "open";
    reason = undefined;
    show();
  });
  client.on("joined", ({ replica }) => {
    [joined, known, reason] = [true, true, undefined];
    part("replica").textContent = replica;
    show();
  });
  client.on("error", ({ message }) => {
    if (!joined) reason = message;
    show();
  });
  retry.addEventListener("click", () => client.retryNow());
  show();
}

/** Keep a value in this browser, if it lets us. @param {string} key */
export function stored(key) {
  return {
    read: () => {
      try {
        return localStorage.getItem(key) ?? "";
      } catch {
        return "";
      }
    },
    write: (/** @type {string} */ value) => {
      try {
        localStorage.setItem(key, value);
      } catch {
        // full or forbidden: kept for as long as the page lives
      }
    },
  };
}
