/** The document's page without a page: changes of a text, what waits for the server, who is here, a document in step. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Attic } from "../../../demos/document/static/document/attic.js";
import { People } from "../../../demos/document/static/document/people.js";
import { changeBetween, colourOf, COLOURS, endOf, fromBase64, guestName, moved, positionIn, rebased, savedInWords, toBase64 } from "../../../demos/document/static/document/rules.js";
import { DocumentSync } from "../../../demos/document/static/document/sync.js";
import { Unsent } from "../../../demos/document/static/document/unsent.js";
import { Doc, applyUpdate, encodeStateAsUpdate } from "../../../demos/document/static/document/vendor/yjs.js";

const applied = (text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove);

test("a change between two texts makes the one of the other", () => {
  assert.equal(changeBetween("same", "same"), null);
  assert.deepEqual(changeBetween("aa", "aaa", 1), { at: 0, remove: 0, insert: "a" });
  assert.deepEqual(changeBetween("aa", "aaa", 3), { at: 2, remove: 0, insert: "a" });
  assert.deepEqual(changeBetween("hello world", "hello there", 11), { at: 6, remove: 5, insert: "there" });
  assert.deepEqual(changeBetween("abc", ""), { at: 0, remove: 3, insert: "" });
  const letters = "ab\u{1d11e}\u{1d120}\n";
  const random = (n) => Math.floor(Math.random() * n);
  const word = () => Array.from({ length: random(8) }, () => [...letters][random(5)]).join("");
  for (let i = 0; i < 5_000; i += 1) {
    const [before, after] = [word(), word()];
    const change = changeBetween(before, after, random(after.length + 1));
    if (!change) continue;
    assert.equal(applied(before, change), after);
    assert.ok(change.insert.isWellFormed());
    assert.ok(before.slice(0, change.at).isWellFormed());
    assert.ok(before.slice(change.at + change.remove).isWellFormed());
  }
});

test("a place moves with what others write before it, and stays at what they write right there", () => {
  assert.equal(moved(5, [{ retain: 2 }, { insert: "abc" }]), 8);
  assert.equal(moved(5, [{ retain: 5 }, { insert: "abc" }]), 5);
  assert.equal(moved(5, [{ retain: 1 }, { delete: 2 }]), 3);
  assert.equal(moved(5, [{ retain: 3 }, { delete: 9 }]), 3);
  assert.equal(moved(5, [{ insert: "ab" }, { retain: 2 }, { delete: 1 }, { insert: "x" }]), 7);
  assert.equal(endOf([{ retain: 3 }, { insert: "abc" }, { retain: 9 }]), 6);
  assert.equal(endOf([{ retain: 3 }, { delete: 2 }]), 3);
});

test("what was composed goes where it belongs, and deletes nothing of the others", () => {
  const others = [[{ retain: 2 }, { insert: "XY" }], [{ delete: 1 }]];
  // abcdef -> abXYcdef -> bXYcdef
  assert.deepEqual(rebased({ at: 2, remove: 2, insert: "new" }, 6, others), { at: 1, removes: [4, 3] });
  assert.deepEqual(rebased({ at: 0, remove: 1, insert: "" }, 6, others), { at: 0, removes: [] });
  assert.deepEqual(rebased({ at: 6, remove: 0, insert: "!" }, 6, others), { at: 7, removes: [] });
  assert.deepEqual(rebased({ at: 1, remove: 3, insert: "" }, 6, others), { at: 0, removes: [4, 3, 0] });
});

test("bytes and positions survive the way as text", () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256);
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  assert.deepEqual(positionIn("f3a9:17"), { epoch: "f3a9", offset: 17 });
  for (const none of [null, "", ":", "a:", "a:b", ":3"]) assert.equal(positionIn(none), null);
});

test("the page says whether all is saved", () => {
  const state = { waiting: false, open: true, ready: true, refusal: null };
  assert.equal(savedInWords(state), "Saved");
  assert.equal(savedInWords({ ...state, waiting: true }), "Saving…");
  assert.equal(savedInWords({ ...state, waiting: true, open: false }), "Kept in this browser until the connection is back");
  assert.equal(savedInWords({ ...state, ready: false }), "Opening…");
  assert.equal(savedInWords({ ...state, waiting: true, refusal: "No." }), "Not saved");
});

test("a guest has a name and a colour", () => {
  assert.match(guestName(), /^\w+ \w+$/);
  for (const id of ["", "a", "zzzzzzzz", "\u{1d11e}"]) assert.ok(colourOf(id) >= 0 && colourOf(id) < COLOURS);
});

/** A text as updates: what a writer's page has to publish. */
function written(...words) {
  const doc = new Doc();
  const said = [];
  doc.on("update", (update) => said.push(update));
  for (const word of words) doc.getText("text").insert(doc.getText("text").length, word);
  return said;
}

function textOf(...updates) {
  const doc = new Doc();
  for (const update of updates) applyUpdate(doc, update);
  return doc.getText("text").toString();
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

test("changes go out one behind the other, and together what has come meanwhile", async () => {
  const sent = [];
  let answer;
  const unsent = new Unsent({ publish: (update) => new Promise((resolve) => sent.push(update) && (answer = resolve)), limit: 1_000, changed() {} });
  for (const update of written("a", "b", "c")) unsent.add(update);
  assert.deepEqual(sent.map((each) => textOf(each)), ["a"]);
  answer();
  await settled();
  assert.equal(textOf(...sent), "abc");
  assert.equal(sent.length, 2);
  assert.equal(unsent.empty, false);
  answer();
  await settled();
  assert.equal(unsent.empty, true);
  assert.equal(unsent.all, null);
});

test("no publication is larger than the server takes", async () => {
  const sent = [];
  const unsent = new Unsent({ publish: async (update) => sent.push(update), limit: 400, changed() {} });
  for (const update of written(...Array(50).fill("0123456789"))) unsent.add(update);
  await settled();
  assert.equal(textOf(...sent), "0123456789".repeat(50));
  assert.ok(sent.length > 2 && sent.every(({ length }) => length <= 400));
});

test("what is refused stays, and all behind it; the next change tries again", async () => {
  const [first, second] = written("a", "b");
  let refuse = true;
  const sent = [];
  const publish = async (update) => {
    if (refuse) throw Object.assign(new Error("This document is full."), { code: "too_large" });
    sent.push(update);
  };
  const unsent = new Unsent({ publish, limit: 1_000, changed() {} });
  await unsent.add(first);
  assert.equal(unsent.refusal, "This document is full.");
  refuse = false;
  await unsent.add(second);
  assert.deepEqual([unsent.refusal, unsent.empty, textOf(...sent)], [null, true, "ab"]);
});

test("what nobody confirmed is sent again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let failures = 3;
  const sent = [];
  const publish = async (update) => {
    if (failures-- > 0) throw Object.assign(new Error("?"), { code: "unacknowledged" });
    sent.push(update);
  };
  const unsent = new Unsent({ publish, limit: 1_000, changed() {} });
  await unsent.add(written("a")[0]);
  assert.equal(textOf(unsent.all), "a");
  for (let i = 0; i < 3; i += 1) {
    t.mock.timers.tick(2_000);
    await Promise.resolve();
    await new Promise(setImmediate);
  }
  assert.equal(textOf(...sent), "a");
  assert.equal(unsent.empty, true);
});

class Storage {
  items = new Map();
  get length() {
    return this.items.size;
  }
  key = (i) => [...this.items.keys()][i];
  getItem = (key) => this.items.get(key) ?? null;
  setItem = (key, value) => this.items.set(key, value);
  removeItem = (key) => this.items.delete(key);
}

test("what a page could not send is found by the next one, of this document only", () => {
  const storage = new Storage();
  const [update] = written("left behind");
  new Attic("a", "one", storage).keep(update);
  new Attic("a.b", "one", storage).keep(written("other")[0]);
  storage.setItem("document.unsent.a/broken", "no base64!");
  const next = new Attic("a", "two", storage);
  assert.deepEqual(next.take().map((each) => textOf(each)), ["left behind"]);
  next.clear();
  assert.deepEqual([...storage.items.keys()], ["document.unsent.a.b/one"]);
  new Attic("a", "three", null).keep(update);
  assert.deepEqual(new Attic("a", "three", null).take(), []);
});

test("what a page that still lives has written since is not cleared", () => {
  const storage = new Storage();
  const living = new Attic("a", "one", storage);
  living.keep(written("first")[0]);
  const other = new Attic("a", "two", storage);
  other.take();
  living.keep(written("second")[0]);
  other.clear();
  assert.equal(new Attic("a", "three", storage).take().length, 1);
});

test("everybody who is here is shown once, by the newest name", () => {
  const people = new People();
  const me = { id: "me", name: "Me" };
  people.joined({ presence: { count: 3, members: [{ id: "m1", info: me }, { id: "m2", info: { id: "a", name: "Ada" } }, { id: "m3", info: null }] } });
  const named = (heard = []) => people.shown(me, heard).people.map(({ name }) => name);
  assert.deepEqual(named([{ id: "a", name: "Ada L." }, { id: "p", name: "Polling", account: true }]), ["Me", "Ada L.", "Polling"]);
  assert.deepEqual(people.changed({ count: 2, leave: ["m2"] }), ["a"]);
  assert.deepEqual(named(), ["Me"]);
  assert.equal(people.shown(me, []).count, 2);
  people.changed({ count: 2, members: [{ id: "m9", info: { id: "z", name: "Zoe" } }] });
  assert.deepEqual(named(), ["Me", "Zoe"]);
});

/** The server's end, as `DocumentSync` sees it: a snapshot, a stream, a client that has joined. */
class Server {
  state = new Doc();
  position = "e:0";
  joins = [];
  listeners = {};
  answers = [];

  on(type, listener) {
    this.listeners[type] = listener;
  }
  emit(type, event) {
    this.listeners[type]({ group: "document.a", ...event });
  }
  async join(group, options) {
    this.joins.push(options.since);
  }
  async leave() {}
  fetch = async () => {
    if (this.answers.length) return this.answers.shift()();
    const bytes = encodeStateAsUpdate(this.state);
    return { ok: true, headers: { get: () => this.position }, arrayBuffer: async () => bytes.buffer };
  };
  publish(update, recovered = false) {
    this.emit("publication", { data: { update: toBase64(update) }, recovered });
  }
}

function opened(server, doc = new Doc()) {
  const seen = { lacking: [], problems: [], ready: 0 };
  const sync = new DocumentSync({
    client: server, group: "document.a", url: "/snapshot", doc, info: null, fetch: server.fetch, random: () => 0,
    lacking: (update) => seen.lacking.push(update),
    changed: () => (seen.ready += 1),
    problem: (sentence) => sentence && seen.problems.push(sentence),
  });
  return { sync, doc, seen };
}

test("a document is its snapshot and what lies behind it", async () => {
  const server = new Server();
  const said = written("one ", "two ", "three");
  applyUpdate(server.state, said[0]);
  server.position = "e:1";
  const { sync, doc, seen } = opened(server);
  await sync.open();
  assert.deepEqual(server.joins, [{ epoch: "e", offset: 1 }]);
  server.emit("joined", { recovered: 2 });
  assert.equal(sync.ready, false);
  server.publish(said[1], true);
  server.publish(said[2], true);
  assert.equal(sync.ready, true);
  assert.equal(doc.getText("text").toString(), "one two three");
  assert.deepEqual(seen.lacking, []);
});

test("behind a reset what the server lacks is said again, and nothing when it lacks nothing", async () => {
  const server = new Server();
  const said = written("kept ", "lost");
  const { sync, doc, seen } = opened(server);
  await sync.open();
  server.emit("joined", { recovered: 0 });
  for (const update of said) server.publish(update);
  applyUpdate(server.state, said[0]);
  server.position = "f:1";
  server.emit("reset", { reason: "lost" });
  await settled();
  assert.deepEqual(server.joins[1], { epoch: "f", offset: 1 });
  server.emit("joined", { recovered: 0 });
  assert.equal(seen.lacking.length, 1);
  const server2 = new Doc();
  applyUpdate(server2, encodeStateAsUpdate(server.state));
  applyUpdate(server2, seen.lacking[0]);
  assert.equal(server2.getText("text").toString(), "kept lost");
  applyUpdate(server.state, seen.lacking[0]);
  server.emit("reset", { reason: "trimmed" });
  await settled();
  server.emit("joined", { recovered: 0 });
  assert.equal(seen.lacking.length, 1);
  assert.equal(doc.getText("text").toString(), "kept lost");
});

test("who is told to takes the snapshot anew, a moment later", async (t) => {
  const server = new Server();
  const { sync, doc } = opened(server);
  await sync.open();
  server.emit("joined", { recovered: 0 });
  applyUpdate(server.state, written("from the snapshot")[0]);
  server.emit("publication", { data: { resync: true }, recovered: false });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(doc.getText("text").toString(), "from the snapshot");
});

test("what can't be fetched is told and tried again; what is no change is left out", async (t) => {
  const server = new Server();
  server.answers = [
    () => Promise.reject(new TypeError("failed")),
    () => ({ ok: false, status: 503, json: async () => ({ detail: "The database does not answer." }) }),
    () => ({ ok: false, status: 502, json: () => Promise.reject(new Error()) }),
    () => ({ ok: true, headers: { get: () => null } }),
  ];
  const { sync, doc, seen } = opened(server);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await sync.open();
  for (let i = 0; i < 4; i += 1) {
    t.mock.timers.tick(30_000);
    await new Promise(setImmediate);
  }
  assert.equal(seen.problems.length, 4);
  assert.match(seen.problems[0], /no replica answers/);
  assert.equal(seen.problems[1], "The database does not answer.");
  assert.match(seen.problems[2], /502/);
  assert.match(seen.problems[3], /no snapshot/);
  server.emit("joined", { recovered: 0 });
  t.mock.method(console, "warn", () => {});
  server.publish(Uint8Array.of(9, 9, 9));
  server.publish(written("still here")[0]);
  assert.equal(doc.getText("text").toString(), "still here");
});
