/** The pure parts of the chat's page. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { KEPT, Outgoing } from "../../../demos/chat/static/chat/outgoing.js";
import { COLOURS, colourOf } from "../../../fanout/static/fanout/colours.js";
import { byteLength, guestName, missing, notSent, refusal } from "../../../demos/chat/static/chat/rules.js";

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

test("what is missing is told with its reason, also with one that we do not know", () => {
  assert.match(missing("trimmed"), /^Messages are missing here: .* than the room keeps\.$/);
  for (const reason of ["lost", "other"]) assert.match(missing(reason), /the server has lost them/);
});

test("a guest has a name that others can say, and each name one of the colours", () => {
  assert.equal(guestName(() => 0), "Brisk Avocet");
  assert.match(guestName(() => 0.999), /^\w+ \w+$/);
  for (const name of ["", "Ada", "李", "😀", "x".repeat(64)]) assert.ok(colourOf(name) >= 0 && colourOf(name) < COLOURS);
  assert.equal(colourOf("Ada"), colourOf("Ada"));
});

const at = (offset, epoch = "a") => ({ epoch, offset });

test("a message is one's own by the position of its acknowledgement, which comes before it or after", () => {
  const outgoing = new Outgoing();
  const [first, second] = [outgoing.add("hi", "Ada"), outgoing.add("hi", "Ada")];
  assert.equal(outgoing.isOwn(at(1)), false);
  outgoing.shown(at(1), "someone else's, of the same words");
  outgoing.shown(at(2), "the first");
  assert.equal(outgoing.acknowledge(first, at(2)), "the first");
  assert.equal(outgoing.acknowledge(second, at(3)), undefined);
  assert.deepEqual([at(3), at(1), at(3, "b")].map((position) => outgoing.isOwn(position)), [true, false, false]);
  assert.deepEqual(outgoing.unconfirmed, []);
});

test("what nobody confirmed is told, oldest first, and forgotten when it is not sent any more", () => {
  const outgoing = new Outgoing();
  const entries = ["first", "second", "third"].map((text) => outgoing.add(text, "Ada"));
  outgoing.acknowledge(entries[0], at(1));
  outgoing.remove(entries[2]);
  assert.deepEqual(outgoing.unconfirmed, ["second"]);
});

test("a reset leaves no confirmed message out of sight, and none in sight twice", () => {
  const outgoing = new Outgoing();
  for (const offset of [1, 2, 5]) outgoing.acknowledge(outgoing.add(`text ${offset}`, "Ada"), at(offset));
  outgoing.isOwn(at(1));
  assert.deepEqual(outgoing.takePassed(at(4)).map(({ message }) => message), ["text 2"]);
  assert.deepEqual(outgoing.takePassed(at(4)), []);
  assert.deepEqual(outgoing.takePassed(at(0, "b")).map(({ message }) => message), ["text 5"]);
});

test("the newest own positions are known again after a reload", () => {
  const outgoing = new Outgoing();
  for (let offset = 1; offset <= KEPT + 1; offset += 1) outgoing.acknowledge(outgoing.add("x", "Ada"), at(offset));
  const reloaded = new Outgoing(outgoing.own);
  assert.deepEqual([1, 2, KEPT + 1].map((offset) => reloaded.isOwn(at(offset))), [false, true, true]);
});
