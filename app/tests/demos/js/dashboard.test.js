/** The pure parts of the boards, of the front page's picture and of what they share. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { FIGURES, byName, headline, linesOf, noticeOf } from "../../../demos/dashboard/static/dashboard/rules.js";
import { DRAWN_LIMIT, inWords, layOut, pathOf } from "../../../demos/home/static/home/picture.js";
import { secondsLeft, stateInWords } from "../../../fanout/static/fanout/line.js";
import { Series, extent, inShort, marks } from "../../../fanout/static/fanout/series.js";

test("a line forgets what is older than its span, and knows what it was", () => {
  const series = new Series(1_000);
  for (let at = 0; at <= 100_000; at += 100) series.add(at, at / 100);
  assert.ok(series.points.length < 100);
  assert.ok(series.points[0].at <= 99_000);
  assert.equal(series.last?.value, 1_000);
  assert.equal(series.valueAt(99_950, 500), 999);
  assert.equal(series.valueAt(200_000, 500), undefined);
  assert.equal(new Series(1_000).valueAt(5, 500), undefined);
});

test("the extent is that of what is seen", () => {
  const [one, other] = [new Series(1e6), new Series(1e6)];
  for (const [at, value] of [[0, 900], [10, 3], [20, 5]]) one.add(at, value);
  other.add(20, -2);
  assert.deepEqual(extent([one, other], 10), { least: -2, most: 5 });
  assert.equal(extent([one, other], 21), undefined);
  assert.equal(extent([], 0), undefined);
});

test("an axis has few round marks that hold every value", () => {
  assert.deepEqual(marks(0, 10), [0, 5, 10]);
  assert.deepEqual(marks(0, 1), [0, 0.5, 1]);
  for (const [least, most] of [[0, 1], [3, 4], [83, 84], [-5, 7], [0, 123_456], [-3, -2], [1e-6, 3e-6], [5, 5], [0, 0], [-1e15, 1e15]]) {
    const axis = marks(least, most);
    assert.ok(axis.length >= 2 && axis.length <= 8, `${least}..${most}: ${axis}`);
    assert.ok(axis[0] <= least && axis[axis.length - 1] >= most, `${least}..${most}: ${axis}`);
  }
  assert.equal(marks(0.01, 4)[0], 0, "zero is not far");
  assert.ok(marks(83.1, 83.4)[0] > 0, "zero is far");
  assert.deepEqual([marks(1, 1, true)[0], marks(83.1, 83.4, true)[0], marks(-3, -2, true)[0]], [0, 0, -3]);
});

test("numbers are short", () => {
  assert.deepEqual([0, 1.234, 12.34, 1_234.5, 2_500_000].map(inShort), ["0", "1.23", "12.3", "1,235", "2.5M"]);
});

test("the fleet's board has the figures of each replica, another board every number", () => {
  const fleet = linesOf({ replica: "web-1", connections: 3, cpu: 1.5, lag: null, memory: "80" }, true);
  assert.deepEqual(fleet, [{ chart: "connections", line: "web-1", value: 3 }, { chart: "cpu", line: "web-1", value: 1.5 }]);
  assert.deepEqual(linesOf({ connections: 3 }, true), []);
  assert.deepEqual(linesOf({ a: 1, b: "2", c: null, d: -0.5 }, false).map(({ chart, value }) => [chart, value]), [["a", 1], ["d", -0.5]]);
  for (const data of [null, 5, "x", [1, 2], true]) assert.deepEqual(linesOf(data, false), []);
  assert.equal(new Set(FIGURES.map(({ key }) => key)).size, FIGURES.length);
});

test("web-2 comes before web-10, and a figure is a sum or the greatest", () => {
  assert.deepEqual(["web-10", "web-2", "web-1"].sort(byName), ["web-1", "web-2", "web-10"]);
  assert.deepEqual([headline("connections", [1, 2]), headline("lag", [1, 2]), headline("cpu", [])], [3, 2, undefined]);
});

test("each way of having nothing to show has its sentence", () => {
  const state = { joined: true, ofFleet: true, quietMs: 0, any: true };
  assert.equal(noticeOf(state), "");
  assert.match(noticeOf({ ...state, quietMs: 5_000 }), /Redis may be away/);
  assert.match(noticeOf({ ...state, joined: false }), /until the connection is back/);
  assert.match(noticeOf({ ...state, ofFleet: false, any: false, quietMs: 5_000 }), /Nothing has been published/);
  assert.equal(noticeOf({ ...state, ofFleet: false, quietMs: 5_000 }), "");
});

const replica = (name, more = {}) => ({ name, connections: 1, deliveries: 10, mine: false, gone: false, ...more });

test("the picture has a box for each part and one's own way through it, on any screen", () => {
  for (const narrow of [false, true]) {
    const { width, height, boxes, wires } = layOut([replica("web-1"), replica("web-2", { mine: true }), replica("web-3", { gone: true })], narrow);
    assert.deepEqual(boxes.map(({ name }) => name), ["You", "nginx", "web-1", "web-2", "web-3", "Redis"]);
    for (const box of boxes) assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, box.name);
    assert.deepEqual(wires.map(({ mine }) => mine), [false, false, true, true, true], "nothing leads to what is gone");
    for (const wire of wires) assert.match(pathOf(wire, narrow), /^M[\d.]+ [\d.]+[CL][-\d. ]+$/);
  }
});

test("a picture of nobody, and of very many", () => {
  assert.equal(layOut([], false).boxes.length, 3);
  assert.equal(layOut(Array.from({ length: 40 }, (_, i) => replica(`web-${i}`)), true).boxes.length, 3 + DRAWN_LIMIT);
});

test("the picture in words counts who lives", () => {
  assert.equal(inWords([replica("web-1", { mine: true }), replica("web-2", { gone: true })]), "web-1 answers you. 1 replica, 1 connection, 10 deliveries a second.");
  assert.match(inWords([]), /^Your browser/);
});

test("the state of the line is said in words", () => {
  assert.equal(stateInWords({ state: "open" }, true), "Connected");
  assert.equal(stateInWords({ state: "open", transport: "sse" }, true), "Connected by an event stream");
  assert.equal(stateInWords({ state: "open", reason: "Redis is away." }, false), "Redis is away.");
  assert.match(stateInWords({ state: "waiting", offline: true }, false), /offline/);
  assert.match(stateInWords({ state: "waiting" }, true), /Trying again/);
  assert.match(stateInWords({ state: "closed", reason: "No." }, false), /closed the connection: No\./);
  assert.deepEqual([2_001, 1, 0].map(secondsLeft), ["in 3 s", "in 1 s", ""]);
});

test("what lies below the picture stays where it is when three replicas appear", () => {
  const three = ["web-1", "web-2", "web-3"].map((name) => ({ name }));
  for (const narrow of [false, true]) {
    const heights = [[], three.slice(0, 1), three].map((replicas) => layOut(replicas, narrow).height);
    assert.deepEqual(heights, Array(3).fill(heights[2]));
    const boxes = layOut(three, narrow).boxes;
    assert.ok(boxes.every(({ y, height }) => y >= 0 && y + height <= heights[2]));
  }
});
