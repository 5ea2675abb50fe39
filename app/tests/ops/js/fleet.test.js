/** The pure parts of the fleet's page. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { EVENTS_LIMIT, Fleet, busiest, inMs, inSpan, inWords, noticeOf, quantile, stateOf, totals } from "../../../ops/static/ops/rules.js";

const BOUNDS = [0.001, 0.01, 0.1];
const row = (replica, more = {}) => ({
  replica, run: `${replica}-1`, pid: 1, state: "ready", trouble: [], version: "1", uptime: 5, connections: 2, streams: 1, memory: 80, lag: 0,
  publications: 1, deliveries: 10, handshakes: 0, latency: [0, 0, 0, 0], groups: [], group_count: 0, events: [], ...more,
});
const texts = (fleet) => fleet.events.map(({ replica, text }) => `${replica} ${text}`);

test("an event is told once, however often it is said, the newest first, and not for ever", () => {
  const fleet = new Fleet();
  const events = [[1, 1_000, "good", "has started"], [2, 2_000, "wait", "drains"]];
  for (const now of [5_000, 6_000]) fleet.take(row("web-1", { events }), now);
  fleet.take(row("web-2", { events: [[1, 1_500, "good", "has started"]] }), 6_100);
  assert.deepEqual(texts(fleet), ["web-1 drains", "web-2 has started", "web-1 has started"]);
  for (let i = 0; i < 200; i += 1) fleet.take(row("web-1", { events: [[i, 9_000 + i, "bad", "again"]] }), 7_000);
  assert.equal(fleet.events.length, EVENTS_LIMIT);
});

test("who falls silent while others speak is gone, and is back when it speaks again", () => {
  const fleet = new Fleet();
  for (const name of ["web-2", "web-10", "web-1"]) fleet.take(row(name), 0);
  for (let now = 1_000; now <= 4_000; now += 1_000) for (const name of ["web-1", "web-10"]) fleet.take(row(name), now);
  assert.deepEqual(fleet.living.map(({ replica }) => replica), ["web-1", "web-10"]);
  assert.deepEqual(fleet.all.map(({ replica }) => replica), ["web-1", "web-2", "web-10"]);
  assert.deepEqual(texts(fleet), ["web-2 is gone without a word, process 1"]);
  fleet.take(row("web-2"), 4_500);
  assert.equal(fleet.living.length, 3);
  assert.deepEqual(texts(fleet), ["web-2 speaks again", "web-2 is gone without a word, process 1"]);
});

test("another process of the same name tells that the first is gone, if it did not leave as planned", () => {
  const fleet = new Fleet();
  fleet.take(row("web-1"), 0);
  fleet.take(row("web-1", { run: "web-1-2", pid: 2 }), 1_500);
  assert.deepEqual(texts(fleet), ["web-1 is gone without a word, process 1"]);
  fleet.take(row("web-1", { run: "web-1-2", pid: 2, state: "draining" }), 2_000);
  fleet.take(row("web-1", { run: "web-1-2", pid: 2, state: "left" }), 2_500);
  assert.deepEqual(stateOf(fleet.all[0]), { words: "left", kind: "wait", more: "as planned" });
  fleet.take(row("web-1", { run: "web-1-3", pid: 3 }), 3_000);
  assert.equal(fleet.events.length, 1);
});

test("a drain that ends without its last word has left all the same", () => {
  const fleet = new Fleet();
  fleet.take(row("web-1", { state: "draining" }), 0);
  for (let now = 0; now <= 4_000; now += 1_000) fleet.take(row("web-2"), now);
  assert.equal(stateOf(fleet.all[0]).words, "left");
  assert.deepEqual(texts(fleet), []);
});

test("a silence of all says nothing of any of them", () => {
  const fleet = new Fleet();
  for (const name of ["web-1", "web-2"]) fleet.take(row(name), 0);
  fleet.take(row("web-1"), 8_000);
  assert.equal(fleet.living.length, 2);
  assert.deepEqual(texts(fleet), []);
  fleet.take(row("web-1", { run: "another" }), 60_000);
  assert.deepEqual(fleet.all.map(({ replica }) => replica), ["web-1"], "the page was away: who it was is not known");
  assert.deepEqual(texts(fleet), []);
});

test("a drain knows how many it had", () => {
  const fleet = new Fleet();
  fleet.take(row("web-1", { connections: 100 }), 0);
  for (const connections of [90, 40]) fleet.take(row("web-1", { state: "draining", connections }), 100);
  assert.equal(fleet.all[0].most, 100);
  assert.deepEqual(stateOf(fleet.all[0]), { words: "draining", kind: "wait", more: "40 to go" });
});

test("a quantile lies within the bucket that holds it", () => {
  assert.equal(quantile([0, 0, 0, 0], BOUNDS, 0.5), undefined);
  assert.equal(quantile([10, 0, 0, 0], BOUNDS, 0.5), 0.0005);
  assert.equal(quantile([0, 0, 0, 7], BOUNDS, 0.5), 0.1, "above all bounds the last is what is known");
  const p99 = quantile([98, 0, 2, 0], BOUNDS, 0.99) ?? 0;
  assert.ok(p99 > 0.01 && p99 <= 0.1);
});

test("the fleet's figures are sums, its latency that of all deliveries", () => {
  const living = [row("web-1", { latency: [1, 0, 0, 0] }), row("web-2", { latency: [0, 0, 1, 0], connections: null })];
  const sums = totals(living, BOUNDS);
  assert.deepEqual([sums.connections, sums.deliveries, sums.publications], [4, 20, 2]);
  assert.ok((sums.worst ?? 0) > 0.01);
});

test("a group's subscriptions add up over the replicas, its publications are the same on each", () => {
  const living = [row("web-1", { groups: [["a", 3, 2], ["b", 500, 0]] }), row("web-2", { groups: [["a", 1, 1.8]] })];
  const found = busiest(living);
  assert.deepEqual(found.map(({ name }) => name), ["a", "b"]);
  assert.deepEqual([found[0].subscriptions, found[0].publications, found[0].deliveries], [4, 2, 7.8]);
});

test("states, spans, latencies and the fleet in words", () => {
  assert.equal(stateOf({ ...row("web-1", { state: "degraded", trouble: ["Redis is away."] }), gone: false }).more, "Redis is away.");
  assert.deepEqual([inSpan(5), inSpan(65), inSpan(7_260), inSpan(90_000)], ["5 s", "1 min 5 s", "2 h 1 min", "1 d 1 h"]);
  assert.deepEqual([inMs(undefined), inMs(0.00123), inMs(0.25)], ["–", "1.2 ms", "250 ms"]);
  const sums = totals([row("web-1")], BOUNDS);
  assert.equal(inWords([row("web-1")], sums), "1 replica, ready, version 1; 3 connections.");
  assert.match(inWords([row("web-1"), row("web-2", { state: "stuck", version: "2" })], sums), /^1 of 2 replicas ready, 2 versions/);
  assert.match(inWords([], totals([], BOUNDS)), /Waiting/);
  assert.equal(noticeOf({ joined: true, any: true, quietMs: 0 }), "");
  assert.match(noticeOf({ joined: true, any: true, quietMs: 9_000 }), /Redis may be away/);
  assert.match(noticeOf({ joined: false, any: true, quietMs: 0 }), /stand still/);
  assert.match(noticeOf({ joined: false, refused: true, any: true, quietMs: 0 }), /log in again/);
});
