/** The pure parts of the chat's page. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Outgoing } from "../../../demos/chat/static/chat/outgoing.js";
import { HUES, byteLength, countdown, gap, guestName, hueOf, lineState, notSent, refusal } from "../../../demos/chat/static/chat/rules.js";

test("a message is measured in bytes of UTF-8", () => {
  assert.equal(byteLength("é€😀"), 9);
  assert.equal(refusal("é".repeat(4), 8), null);
  assert.match(refusal("é".repeat(600), 1_000), /1,200 of at most 1,000 bytes/);
});

test("each reason for a message not sent has its own sentence", () => {
  assert.match(notSent({ code: "not_connected", message: "" }), /no connection/);
  assert.match(notSent({ code: "unacknowledged", message: "" }), /may have got it or not/);
  assert.equal(notSent({ code: "forbidden", message: "Go away." }), "Not sent: Go away.");
});

test("the state of the line is said in words", () => {
  const open = { state: "open" };
  assert.equal(lineState(open, true), "Connected");
  assert.equal(lineState(open, false), "Entering the room…");
  assert.equal(lineState({ ...open, reason: "Redis is away." }, false), "Redis is away.");
  assert.match(lineState({ state: "waiting", offline: true }, false), /offline/);
  assert.match(lineState({ state: "waiting" }, false), /Trying again/);
  assert.match(lineState({ state: "closed", reason: "Not JSON." }, false), /Not JSON\./);
});

test("the countdown never says that zero seconds are left", () => {
  assert.deepEqual([2001, 1, 0, -5].map(countdown), ["in 3 s", "in 1 s", "", ""]);
});

test("a gap says who answers now and how long it was", () => {
  assert.match(gap("web-1", "web-2", 4200), /^web-1 is gone, web-2 answers now\. .* the 4 seconds between/);
  assert.match(gap("web-1", "web-1", 300), /^web-1 answers again\. .* the second between/);
});

test("a guest has a name that others can say, and each name one of the colours", () => {
  assert.equal(guestName(() => 0), "Brisk Avocet");
  assert.match(guestName(() => 0.999), /^\w+ \w+$/);
  for (const name of ["", "Ada", "李", "😀", "x".repeat(64)]) assert.ok(hueOf(name) >= 0 && hueOf(name) < HUES);
  assert.equal(hueOf("Ada"), hueOf("Ada"));
});

test("a publication is one's own when its text and name are on their way, once", () => {
  const outgoing = new Outgoing();
  const entry = outgoing.add("hi ", "Ada");
  assert.equal(outgoing.claim({ message: "hi", name: "Bob" }), undefined);
  assert.equal(outgoing.claim({ message: "hi" }), undefined);
  assert.equal(outgoing.claim({ message: "hi", name: "Ada" }), entry);
  assert.equal(outgoing.has(entry), false);
  assert.equal(outgoing.claim({ message: "hi", name: "Ada" }), undefined);
});

test("what the server confirmed is told apart from what it did not", () => {
  const outgoing = new Outgoing();
  outgoing.add("first", "Ada").acknowledged = true;
  outgoing.add("second", "Ada");
  outgoing.add("third", "Ada");
  assert.deepEqual(outgoing.unconfirmed, ["second", "third"]);
  assert.deepEqual(outgoing.takeAcknowledged().map(({ message }) => message), ["first"]);
  assert.deepEqual(outgoing.takeAcknowledged(), []);
});
