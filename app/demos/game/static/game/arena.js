/** The arena's page: one client, two groups, one canvas. */
import { connect } from "../fanout/client.js";
import { showLine, stored } from "../fanout/line.js";
import { Controls } from "./controls.js";
import { Stage } from "./draw.js";
import { Crowd, Score, colourOf, guestName, idleWords, refusedStep } from "./rules.js";
import { Self } from "./self.js";

/** Publications of the gems' stream that a page begins with: the last two rounds. */
const OLDER = 140;
/** Ms between two updates of what stands beside the arena. */
const TELL_MS = 250;
/** Ms for which a sentence stands in the arena. */
const TOAST_MS = 2_500;
/** Ms for which a sentence about a refused step stands, though the next one was taken. */
const READ_MS = 3_000;
/** Longest piece of time, in seconds, that is walked at once: a browser that slept does not jump. */
const LONGEST_STEP = 0.1;

/** @type {(id: string) => any} */
const part = (id) => document.getElementById(id);
const { arena, ...numbers } = document.body.dataset;
const number = (/** @type {string} */ name) => Number(numbers[name]);
const walls = { width: number("width"), height: number("height") };
const [game, gems] = [`game.${arena}`, `gems.${arena}`];

// The page was answered at this time of the server; from then on this browser's clock is as good.
const answeredAt = performance.timeOrigin + (/** @type {any} */ (performance.getEntriesByType("navigation")[0])?.responseStart ?? 0);
const serverTime = () => number("now") + (Date.now() - answeredAt);

const crowd = new Crowd(number("silence") * 1000);
const score = new Score();
const stage = new Stage(part("arena"), walls);
const controls = new Controls(part("arena"), (pointer) => stage.placeOf(pointer));
// Over anything else a game at 20 Hz is none.
const client = connect({ url: "/ws/", groups: [game, gems], last: OLDER, presence: true, transport: "websocket" });
showLine(client);
const self = new Self({
  tell: (data) => client.publish(game, data),
  refused: (error) => problem(refusedStep(error)),
  taken: () => Date.now() - problemAt > READ_MS && part("problem").dataset.passing && problem(""),
  walls,
  speed: number("speed"),
  repeat: number("repeat") * 1000,
});

client.on("publication", ({ group, data, recovered }) => {
  if (group === game) crowd.hear(data, performance.now());
  else if (score.hear(data)) heard(data, recovered);
});
client.on("presence", ({ group, count }) => group === game && here(count));
client.on("joined", ({ group, presence }) => {
  if (group !== game) return;
  here(presence?.count);
  if (part("problem").dataset.passing) problem("");
  self.hello();
});
client.on("state", ({ state }) => state !== "open" && self.lost());

/** @param {any} data @param {boolean} recovered */
function heard(data, recovered) {
  if (recovered) return;
  if (data.gems && score.winner) toast(`Round over: ${score.winner.name} won with ${gemsInWords(score.winner.gems)}.`);
  else if (self.me && data.by === self.me.id) toast(`${gemsInWords(score.of(self.me.id))}`);
}

/** @param {number | undefined} count Pages and programs in the arena, whether they play or watch. */
const here = (count) => (part("here").textContent = count === undefined ? "–" : String(count));

const gemsInWords = (/** @type {number} */ count) => `${count} ${count === 1 ? "gem" : "gems"}`;

/** @type {ReturnType<typeof setTimeout> | undefined} */ let toasting;
/** @param {string} words */
function toast(words) {
  clearTimeout(toasting);
  part("toast").textContent = words;
  toasting = setTimeout(() => (part("toast").textContent = ""), TOAST_MS);
}

let problemAt = 0;
/** @param {string} sentence What is wrong. @param {boolean} [passing] It is over when a step is taken again. */
function problem(sentence, passing = true) {
  problemAt = Date.now();
  if (part("problem").textContent !== sentence) part("problem").textContent = sentence;
  part("problem").dataset.passing = passing ? "true" : "";
}

// Playing and watching

const store = stored("game.name");
const account = part("name").dataset.account !== undefined;
if (!account) part("name").value = store.read() || guestName();
part("play-form").addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  problem("");
  if (self.me) return stop();
  const name = part("name").value.trim() || guestName();
  part("name").value = name;
  if (!account) store.write(name);
  part("play").disabled = true;
  try {
    const answer = await fetch(document.body.dataset.ticket ?? "", { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const margin = 60;
    const anywhere = (/** @type {number} */ most) => margin + Math.random() * (most - 2 * margin);
    self.begin(await answer.json(), name, { x: anywhere(walls.width), y: anywhere(walls.height) });
    part("arena").focus({ preventScroll: true });
    playing(true);
    await self.hello();
  } catch {
    problem("No replica answers at the moment: try again in a few seconds.", false);
  } finally {
    part("play").disabled = false;
  }
});

function stop() {
  self.end();
  playing(false);
}

/** @param {boolean} on */
function playing(on) {
  part("play").textContent = on ? "Stop" : "Play";
  part("play").classList.toggle("quiet", on);
  part("name").readOnly = on || account;
  document.body.dataset.playing = String(on);
}
addEventListener("pagehide", () => self.end());

// What is seen

let before = performance.now();
/** @param {number} now */
function frame(now) {
  const seconds = Math.min((now - before) / 1000, LONGEST_STEP);
  before = now;
  self.walk(controls.wish, seconds);
  const { me } = self;
  const others = crowd.shown(performance.now()).filter(({ id }) => id !== me?.id);
  const settled = self.since === null ? 0 : Math.min((Date.now() - self.since) / (number("settle") * 1000), 1);
  stage.draw(score.open(serverTime()), others, me && { ...me, colour: colourOf(me.id), settled });
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);
setInterval(() => self.step(performance.now()), 1000 / number("rate"));

let scoresShown = "";
function tell() {
  const now = serverTime();
  const on = score.isOn(now);
  part("clock").textContent = on && score.round ? `${Math.ceil((score.round.ends - now) / 1000)} s` : "–";
  part("left").textContent = on ? String(score.left) : "–";
  crowd.shown(performance.now());
  part("players").textContent = String(crowd.size);
  const { winner } = score;
  const last = on && winner ? `The round before went to ${winner.name}, with ${gemsInWords(winner.gems)}.` : "";
  const first = score.first();
  const words = idleWords({ on, players: crowd.size, silenced: crowd.silenced, scores: first.length });
  if (part("no-scores").textContent !== words) part("no-scores").textContent = words;
  if (part("last").textContent !== last) part("last").textContent = last;
  const state = JSON.stringify([first, self.me?.id]);
  if (state === scoresShown) return;
  scoresShown = state;
  part("scores").replaceChildren(
    ...first.map(({ id, name, gems: count }) => {
      const item = document.createElement("li");
      item.dataset.series = String(colourOf(id));
      item.classList.toggle("own", id === self.me?.id);
      const [who, what] = [document.createElement("span"), document.createElement("b")];
      [who.textContent, what.textContent] = [name, String(count)];
      item.append(who, what);
      return item;
    }),
  );
}
setInterval(tell, TELL_MS);
tell();
