/** The pure parts of the game's page. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { BEHIND_MS, COLOURS, Crowd, SHOWN_LIMIT, Score, colourOf, direction, guestName, idleWords, placeAt, refusedStep, walk } from "../../../demos/game/static/game/rules.js";
import { Self } from "../../../demos/game/static/game/self.js";

const WALLS = { width: 1200, height: 750 };

test("between two places someone is between them, and never ahead of the last", () => {
  const places = [{ at: 0, x: 0, y: 0 }, { at: 100, x: 10, y: 20 }];
  assert.deepEqual(placeAt(places, 50), { x: 5, y: 10 });
  assert.deepEqual(placeAt(places, -50), { x: 0, y: 0 });
  assert.deepEqual(placeAt(places, 500), { x: 10, y: 20 });
});

test("a player walks smoothly between its steps, and is gone after a silence or a word", () => {
  const crowd = new Crowd(2_000);
  for (let i = 0; i < 10; i += 1) crowd.hear({ id: "a", name: "Ada", x: i * 18, y: 0 }, i * 50);
  const [ada] = crowd.shown(450 + 25);
  assert.equal(ada.name, "Ada");
  assert.ok(Math.abs(ada.x - (475 - BEHIND_MS) * (18 / 50)) < 0.001);
  assert.equal(crowd.shown(450 + 2_000).length, 1);
  assert.equal(crowd.silenced, false);
  assert.equal(crowd.shown(450 + 2_001).length, 0);
  assert.equal(crowd.silenced, true);
  crowd.hear({ id: "b", name: "Bob", x: 1, y: 1 }, 0);
  crowd.hear({ id: "b", gone: true }, 1);
  assert.deepEqual([crowd.size, crowd.silenced], [0, false]);
});

test("an empty arena says why", () => {
  const state = { on: true, players: 0, silenced: false, scores: 0 };
  assert.match(idleWords({ ...state, silenced: true }), /Redis/);
  assert.match(idleWords({ ...state, on: false }), /Nobody plays/);
  assert.match(idleWords({ ...state, players: 2 }), /Nobody has a gem/);
  assert.equal(idleWords({ ...state, players: 2, scores: 1 }), "");
});

test("after a rest a walk begins where and when it begins", () => {
  const crowd = new Crowd(2_000);
  crowd.hear({ id: "a", x: 0, y: 0 }, 0);
  crowd.hear({ id: "a", x: 18, y: 0 }, 1_000);
  assert.equal(crowd.shown(1_000)[0].x, 0);
  assert.equal(crowd.shown(1_000 + BEHIND_MS)[0].x, 18);
});

test("what is no step shows nobody, and a crowd is bounded", () => {
  const crowd = new Crowd(2_000);
  for (const data of [null, 5, "x", {}, { id: 5, x: 1, y: 1 }, { id: "a" }, { id: "a", x: "1", y: 1 }, { id: "a", x: NaN, y: 1 }]) crowd.hear(data, 0);
  assert.equal(crowd.size, 0);
  for (let i = 0; i < SHOWN_LIMIT + 50; i += 1) crowd.hear({ id: `p${i}`, x: 1, y: 1 }, 0);
  assert.equal(crowd.size, SHOWN_LIMIT);
});

const ROUND = { round: 100, begins: 6_000, ends: 6_060, gems: [[10, 10, 0], [20, 20, 0], [30, 30, 5]] };

test("the score is the sum of the first claims of a round", () => {
  const score = new Score();
  assert.equal(score.hear(ROUND), true);
  for (const [gem, by] of [[0, "b"], [1, "a"], [2, "b"]]) score.hear({ round: 100, gem, by, name: by });
  assert.equal(score.hear({ round: 100, gem: 2, by: "a", name: "a" }), false, "a gem has one owner");
  assert.equal(score.hear({ round: 99, gem: 1, by: "a", name: "a" }), false, "another round's claim");
  assert.deepEqual(score.first().map(({ id, gems }) => [id, gems]), [["b", 2], ["a", 1]]);
  assert.deepEqual([score.of("b"), score.of("c"), score.of(null), score.left], [2, 0, 0, 0]);
  assert.equal(score.hear(ROUND), false, "told twice");
  score.hear({ ...ROUND, round: 101 });
  assert.deepEqual([score.winner?.id, score.winner?.gems, score.of("b"), score.left], ["b", 2, 0, 3]);
});

test("a claim that comes before its round is counted when the round is opened", () => {
  const score = new Score();
  score.hear({ round: 100, gem: 1, by: "a", name: "Ada" });
  score.hear({ round: 101, gem: 2, by: "a", name: "Ada" });
  score.hear(ROUND);
  assert.deepEqual([score.of("a"), score.left], [1, 2]);
  score.hear({ ...ROUND, round: 101 });
  assert.deepEqual([score.of("a"), score.left, score.winner?.gems], [1, 2, 1]);
});

test("gems are there from their time on, until they are taken or the round ends", () => {
  const score = new Score();
  score.hear(ROUND);
  assert.deepEqual(score.open(6_000_000).map(({ number }) => number), [0, 1]);
  assert.deepEqual(score.open(6_005_000).map(({ number }) => number), [0, 1, 2]);
  score.hear({ round: 100, gem: 1, by: "a", name: "Ada" });
  assert.deepEqual(score.open(6_005_000).map(({ number }) => number), [0, 2]);
  assert.deepEqual(score.open(6_060_000), []);
});

test("what is no claim counts for nothing", () => {
  const score = new Score();
  score.hear(ROUND);
  for (const data of [null, 5, {}, { round: 100 }, { round: 100, gem: "1", by: "a" }, { round: 100, gem: 1, by: 5 }]) assert.equal(score.hear(data), false);
});

test("nobody walks faster than the reach or through a wall, and a target is not overrun", () => {
  const wish = (x, y, target = null) => ({ keys: { x, y }, target });
  const far = walk({ x: 100, y: 100 }, wish(1, 1), 10, WALLS);
  assert.ok(Math.abs(Math.hypot(far.x - 100, far.y - 100) - 10) < 1e-9);
  assert.deepEqual(walk({ x: 100, y: 100 }, wish(0, 0, { x: 103, y: 104 }), 10, WALLS), { x: 103, y: 104 });
  assert.deepEqual(walk({ x: 2, y: 748 }, wish(-1, 0), 10, WALLS), { x: 0, y: 748 });
  assert.deepEqual(walk({ x: 5, y: 5 }, wish(0, 0), 10, WALLS), { x: 5, y: 5 });
});

test("keys by their place on the keyboard; opposite ones stop", () => {
  assert.deepEqual(direction(new Set(["KeyW", "ArrowRight"])), { x: 1, y: -1 });
  assert.deepEqual(direction(new Set(["KeyA", "KeyD"])), { x: 0, y: 0 });
});

test("a colour for each player, a name for each guest, a sentence for each refusal", () => {
  for (const id of ["", "0f7dab56", "x".repeat(99)]) assert.ok(colourOf(id) >= 0 && colourOf(id) < COLOURS);
  assert.equal(guestName(() => 0), "Brisk Badger");
  assert.equal(refusedStep({ code: "bad_data", message: "Too fast." }), "Too fast.");
  assert.match(refusedStep({ code: "unavailable", message: "" }), /Redis/);
  assert.equal(refusedStep({ code: "unacknowledged", message: "lost" }), "");
});

/** A self whose steps are answered by the test. */
function selfWith() {
  const told = [];
  const refusals = [];
  const tell = (data) => new Promise((resolve, reject) => told.push({ data, resolve, reject }));
  const self = new Self({ tell, refused: (error) => refusals.push(error.code), taken: () => {}, walls: WALLS, speed: 360, repeat: 500 });
  self.begin({ player: "a", ticket: "t" }, "Ada", { x: 100, y: 100 });
  return { self, told, refusals };
}
const right = { keys: { x: 1, y: 0 }, target: null };
const settled = () => new Promise((resolve) => setTimeout(resolve));

test("nobody walks before the server has let them in, and says who they are on each connection", async () => {
  const { self, told } = selfWith();
  self.walk(right, 1);
  self.step(0);
  assert.deepEqual([self.me.x, told.length], [100, 0]);
  self.hello();
  assert.deepEqual(told[0].data, { ticket: "t", name: "Ada", x: 100, y: 100 });
  told[0].resolve(null);
  await settled();
  self.walk(right, 0.1);
  self.step(50);
  assert.deepEqual(told[1].data, { x: 136, y: 100 });
  self.lost();
  self.hello();
  assert.deepEqual(told[2].data, { ticket: "t", name: "Ada", x: 136, y: 100 });
});

test("a hello that the server could not take is said again until it is", async () => {
  const { self, told } = selfWith();
  self.hello();
  told[0].reject({ code: "unavailable", message: "Redis is away." });
  await settled();
  for (const now of [0, 100, 499]) self.step(now);
  assert.equal(told.length, 2);
  told[1].reject({ code: "unavailable", message: "Redis is away." });
  await settled();
  self.step(500);
  assert.deepEqual(told[2].data, { ticket: "t", name: "Ada", x: 100, y: 100 });
  told[2].resolve(null);
  await settled();
  self.walk(right, 0.1);
  self.step(1000);
  assert.deepEqual(told[3].data, { x: 136, y: 100 });
});

test("a refused step leads back to the last one that was taken", async () => {
  const { self, told, refusals } = selfWith();
  self.hello();
  told[0].resolve(null);
  await settled();
  self.walk(right, 0.1);
  self.step(50);
  self.walk(right, 0.1);
  self.step(100);
  told[1].resolve(null);
  told[2].reject({ code: "bad_data", message: "Too fast." });
  await settled();
  assert.deepEqual([self.me.x, refusals], [136, ["bad_data"]]);
});

test("who stands says so now and then, and a slow line is told no more than five steps", async () => {
  const { self, told } = selfWith();
  self.hello();
  told[0].resolve(null);
  await settled();
  for (const now of [0, 50, 499, 500]) self.step(now);
  assert.equal(told.length, 3);
  for (let i = 1; i < 30; i += 1) {
    self.walk(right, 0.05);
    self.step(500 + i * 50);
  }
  assert.equal(told.length, 1 + 5);
});

test("an answer of a lost connection says nothing of the new one", async () => {
  const { self, told, refusals } = selfWith();
  self.hello();
  self.lost();
  told[0].reject({ code: "unacknowledged", message: "lost" });
  await settled();
  assert.deepEqual([self.since, refusals], [null, []]);
});
