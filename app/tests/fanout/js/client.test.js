/** The client of fanout.v1 and its backoff, without a browser: `node --test` on node 20.19 or later. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { ANSWER_MS, STABLE_MS, connect } from "../../../fanout/static/fanout/client.js";
import { PUBLISH_MS } from "../../../fanout/static/fanout/outbox.js";
import { placeOf, positionOf, recoveredOf } from "../../../fanout/static/fanout/positions.js";
import { newKey, parseFrame, socketUrl } from "../../../fanout/static/fanout/protocol.js";
import { BASE_MS, CAP_MS, FLOOR_MS, HANDOVER_MS, mayReturn, retryDelay } from "../../../fanout/static/fanout/retry.js";

/** A WebSocket whose other side is the test. */
class FakeSocket {
  /** @type {FakeSocket[]} */ static all = [];
  /** @type {any[]} */ sent = [];
  closed = false;

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    FakeSocket.all.push(this);
  }

  static get last() {
    return FakeSocket.all.at(-1);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  open() {
    this.onopen();
  }

  lose(code = 1006, reason = "") {
    this.onclose({ code, reason });
  }

  say(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  /** Answer the newest frame of a type, and let the promises run. */
  async answer(type, answer) {
    const { id, group } = this.sent.findLast((frame) => frame.type === type);
    this.say({ id, group, ...answer });
    await settle();
  }
}

const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

const recorded = (client, type) => {
  const seen = [];
  client.on(type, (detail) => seen.push(detail));
  return seen;
};

const half = () => 0.5;
const LOBBY = "chat.lobby";
const start = (groups = [LOBBY], options = {}) =>
  connect({ url: "ws://host/ws/", groups, WebSocket: FakeSocket, random: half, ...options });

/** A client in a durable group, behind offset 7 of epoch "a". */
async function durable(options) {
  const client = start([LOBBY], options);
  FakeSocket.last.open();
  await joinedAt(7);
  return client;
}

const joinedAt = (offset, more = {}) =>
  FakeSocket.last.answer("join", { type: "joined", replica: "web-1", epoch: "a", offset, recovered: 0, ...more });
const publish = (offset, epoch = "a") =>
  FakeSocket.last.say({ type: "publication", group: LOBBY, epoch, offset, data: `${epoch}${offset}` });
const comeBack = (code = 1006) => {
  FakeSocket.last.lose(code);
  mock.timers.tick(BASE_MS);
  FakeSocket.last.open();
};
const sent = (type) => FakeSocket.last.sent.filter((frame) => frame.type === type);
const datas = (publications) => publications.map(({ data }) => data);

beforeEach(() => {
  FakeSocket.all = [];
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});

afterEach(() => {
  mock.timers.reset();
  delete globalThis.addEventListener;
});

test("the wait doubles with each failure up to the cap, spread over its whole width", () => {
  const waits = [0, 1, 2, 3, 20].map((failures) => retryDelay({ code: 1006, failures }, half));
  assert.deepEqual(waits, [250, 500, 1000, 2000, CAP_MS / 2]);
  assert.equal(retryDelay({ code: 1006, failures: 5 }, () => 0), FLOOR_MS);
  assert.ok(retryDelay({ code: 1006, failures: 0 }, () => 0.999) < BASE_MS);
});

test("a planned exit is followed at once, with a small spread, but not when it repeats", () => {
  for (const code of [1001, 1012]) {
    assert.equal(retryDelay({ code, failures: 0 }, () => 0), 0);
    assert.ok(retryDelay({ code, failures: 0 }, () => 0.999) < HANDOVER_MS);
    assert.equal(retryDelay({ code, failures: 4 }, half), 4000);
  }
});

test("the server's hint, 'try again later' and a missing network lengthen the wait", () => {
  assert.equal(retryDelay({ code: 1012, failures: 0, hint: 900 }, () => 0.5), 450);
  assert.equal(retryDelay({ code: 1012, failures: 0, hint: 1e9 }, () => 0.5), CAP_MS / 2);
  assert.equal(retryDelay({ code: 1012, failures: 0, hint: -5 }, () => 0.5), 0);
  assert.equal(retryDelay({ code: 1013, failures: 0 }, half), 2000);
  assert.equal(retryDelay({ code: 1006, failures: 0, offline: true }, half), CAP_MS);
});

test("only 4400 and above forbid coming back", () => {
  assert.deepEqual([1005, 1006, 1009, 1012, 1013, 4008, 4399].filter((code) => !mayReturn(code)), []);
  assert.deepEqual([1000, 4400, 4403, 4999].filter(mayReturn), []);
});

test("only a JSON object with a type is a frame", () => {
  assert.deepEqual(parseFrame('{"type":"ack","id":1}'), { type: "ack", id: 1 });
  for (const text of ["", "nonsense", "null", "3", "[]", "{}", '{"type":3}', new ArrayBuffer(2)]) {
    assert.equal(parseFrame(text), null);
  }
});

test("the socket's address follows the page's: scheme, host and port", () => {
  assert.equal(socketUrl("/ws/chat/", "https://example.org/chat/x/"), "wss://example.org/ws/chat/");
  assert.equal(socketUrl("/ws/", "http://localhost:8080/"), "ws://localhost:8080/ws/");
});

test("it speaks the subprotocol, joins, tells the replica and passes publications on", async () => {
  const client = start();
  const [joined, publications] = [recorded(client, "joined"), recorded(client, "publication")];
  assert.deepEqual(FakeSocket.last.protocols, ["fanout.v1"]);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent, [{ type: "join", group: "chat.lobby", id: 1 }]);
  await FakeSocket.last.answer("join", { type: "joined", replica: "web-2" });
  assert.deepEqual(joined, [{ group: "chat.lobby", replica: "web-2", recovered: 0, reset: undefined }]);
  FakeSocket.last.say({ type: "publication", group: "chat.lobby", data: { message: "hi" } });
  assert.deepEqual(publications[0].data, { message: "hi" });
});

test("publish is resolved by its acknowledgement and rejected by its error", async () => {
  const client = start();
  FakeSocket.last.open();
  const good = client.publish("chat.lobby", { message: "a" });
  await FakeSocket.last.answer("publish", { type: "ack" });
  await good;
  const bad = client.publish("chat.lobby", { message: "b" });
  const refusal = assert.rejects(bad, { code: "too_large", message: "Too long." });
  await FakeSocket.last.answer("publish", { type: "error", code: "too_large", message: "Too long." });
  await refusal;
});

test("before the first join nothing of a group is heard, and nothing of one that was left", async () => {
  const client = start();
  const publications = recorded(client, "publication");
  FakeSocket.last.open();
  publish(1);
  await joinedAt(1);
  client.leave(LOBBY);
  publish(2);
  assert.deepEqual(publications, []);
});

test("the first join asks for the last ones, each later one goes on behind what came", async () => {
  const client = start([LOBBY], { last: 50 });
  const publications = recorded(client, "publication");
  FakeSocket.last.open();
  assert.deepEqual(sent("join"), [{ type: "join", group: LOBBY, id: 1, last: 50 }]);
  await joinedAt(7, { recovered: 2 });
  for (const offset of [6, 7, 8]) publish(offset);
  assert.deepEqual(publications.map(({ recovered }) => recovered), [true, true, false]);
  comeBack();
  assert.deepEqual(sent("join")[0].since, { epoch: "a", offset: 8 });
  assert.equal("last" in sent("join")[0], false);
  await joinedAt(10, { recovered: 2 });
  for (const offset of [9, 10, 11]) publish(offset);
  assert.deepEqual(datas(publications), ["a6", "a7", "a8", "a9", "a10", "a11"]);
});

test("a connection lost in the middle of a recovery goes on behind what came of it", async () => {
  const client = await durable();
  const publications = recorded(client, "publication");
  comeBack();
  await joinedAt(12, { recovered: 5 });
  publish(8);
  comeBack();
  assert.deepEqual(sent("join")[0].since, { epoch: "a", offset: 8 });
  await joinedAt(12, { recovered: 4 });
  for (const offset of [9, 10, 11, 12]) publish(offset);
  assert.deepEqual(datas(publications), ["a8", "a9", "a10", "a11", "a12"]);
});

test("a publication that came before is dropped", async () => {
  const client = await durable();
  const publications = recorded(client, "publication");
  for (const offset of [8, 8, 7, 9]) publish(offset);
  assert.deepEqual(datas(publications), ["a8", "a9"]);
});

test("a gap is never passed on: the group is joined again behind what came", async () => {
  const client = await durable();
  const [publications, resets] = [recorded(client, "publication"), recorded(client, "reset")];
  publish(8);
  for (const offset of [10, 11]) publish(offset);
  assert.deepEqual(sent("join").slice(1).map(({ since }) => since), [{ epoch: "a", offset: 8 }]);
  await joinedAt(11, { recovered: 3 });
  for (const offset of [9, 10, 11, 12]) publish(offset);
  assert.deepEqual(datas(publications), ["a8", "a9", "a10", "a11", "a12"]);
  assert.deepEqual(resets, []);
});

test("a gap in what was recovered is told as a reset", async () => {
  const client = await durable();
  const [publications, resets] = [recorded(client, "publication"), recorded(client, "reset")];
  comeBack();
  await joinedAt(10, { recovered: 2 });
  publish(10);
  assert.deepEqual(resets, [{ group: LOBBY, reason: "lost", epoch: "a", offset: 10 }]);
  assert.deepEqual(datas(publications), ["a10"]);
});

test("a reset among what is recovered ends it: what follows is live", async () => {
  const client = await durable();
  const [publications, resets] = [recorded(client, "publication"), recorded(client, "reset")];
  comeBack();
  await joinedAt(20, { recovered: 13 });
  publish(8);
  FakeSocket.last.say({ type: "reset", group: LOBBY, epoch: "a", offset: 40, reason: "trimmed" });
  publish(41);
  assert.deepEqual(resets, [{ group: LOBBY, reason: "trimmed", epoch: "a", offset: 40 }]);
  assert.deepEqual(publications.map(({ data, recovered }) => [data, recovered]), [["a8", true], ["a41", false]]);
});

test("a reset is an event, and the position goes on behind it", async () => {
  const client = await durable();
  const [publications, resets] = [recorded(client, "publication"), recorded(client, "reset")];
  comeBack();
  await joinedAt(40, { reset: "trimmed" });
  publish(41);
  FakeSocket.last.say({ type: "reset", group: LOBBY, epoch: "b", offset: 30, reason: "lost" });
  publish(31, "b");
  assert.deepEqual(resets, [
    { group: LOBBY, reason: "trimmed", epoch: "a", offset: 40 },
    { group: LOBBY, reason: "lost", epoch: "b", offset: 30 },
  ]);
  assert.deepEqual(datas(publications), ["a41", "b31"]);
  comeBack();
  assert.deepEqual(sent("join")[0].since, { epoch: "b", offset: 31 });
});

test("a new epoch that lost nothing goes on as if nothing had been", async () => {
  const client = await durable();
  const [publications, resets] = [recorded(client, "publication"), recorded(client, "reset")];
  publish(8, "b");
  comeBack();
  await joinedAt(10, { epoch: "b", recovered: 2 });
  publish(9, "b");
  publish(10, "b");
  comeBack();
  assert.deepEqual(sent("join")[0].since, { epoch: "b", offset: 10 });
  assert.deepEqual(datas(publications), ["b8", "b9", "b10"]);
  assert.deepEqual(resets, []);
});

test("a publish is resolved with its position", async () => {
  const client = await durable();
  const position = client.publish(LOBBY, "hi");
  await FakeSocket.last.answer("publish", { type: "ack", epoch: "a", offset: 8 });
  assert.deepEqual(await position, { epoch: "a", offset: 8 });
});

test("a publish that was not acknowledged is sent again with the same key, as it was", async () => {
  const client = await durable();
  const data = { message: "a" };
  const published = client.publish(LOBBY, data);
  const [first] = sent("publish");
  data.message = "changed";
  comeBack();
  assert.deepEqual(FakeSocket.last.sent.map(({ type }) => type), ["join", "publish"]);
  const [second] = sent("publish");
  assert.ok(first.key.length >= 32 && first.key.length <= 64);
  assert.deepEqual({ ...second, id: first.id }, first);
  await FakeSocket.last.answer("publish", { type: "ack", epoch: "a", offset: 8 });
  assert.deepEqual(await published, { epoch: "a", offset: 8 });
  comeBack();
  assert.deepEqual(sent("publish"), []);
});

test("publishes of a group go out one behind the other, in their order, also over a loss", async () => {
  const client = await durable();
  const all = ["a", "b", "c"].map((data) => client.publish(LOBBY, data));
  assert.deepEqual(datas(sent("publish")), ["a"]);
  await FakeSocket.last.answer("publish", { type: "ack", epoch: "a", offset: 8 });
  assert.deepEqual(datas(sent("publish")), ["a", "b"]);
  FakeSocket.last.lose();
  all.push(client.publish(LOBBY, "d"));
  mock.timers.tick(BASE_MS);
  FakeSocket.last.open();
  for (const offset of [9, 10, 11]) await FakeSocket.last.answer("publish", { type: "ack", epoch: "a", offset });
  assert.deepEqual(datas(sent("publish")), ["b", "c", "d"]);
  assert.deepEqual((await Promise.all(all)).map(({ offset }) => offset), [8, 9, 10, 11]);
  assert.equal(new Set(sent("publish").map(({ key }) => key)).size, 3);
});

test("a group whose publish waits does not hold another group's up", async () => {
  const client = await durable();
  client.publish(LOBBY, "a");
  client.publish("chat.other", "b");
  assert.deepEqual(sent("publish").map(({ group }) => group), [LOBBY, "chat.other"]);
});

test("a publish for which the server was unavailable is sent again, before those behind it", async () => {
  const client = await durable();
  const errors = recorded(client, "error");
  const [first, second] = [client.publish(LOBBY, "a"), client.publish(LOBBY, "b")];
  await FakeSocket.last.answer("publish", { type: "error", code: "unavailable", message: "Redis is away." });
  assert.deepEqual(errors.map(({ code }) => code), ["unavailable"]);
  client.publish(LOBBY, "c");
  assert.deepEqual(datas(sent("publish")), ["a"]);
  mock.timers.tick(BASE_MS);
  const keys = sent("publish").map(({ key }) => key);
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  for (const offset of [8, 9]) await FakeSocket.last.answer("publish", { type: "ack", epoch: "a", offset });
  assert.deepEqual([(await first).offset, (await second).offset], [8, 9]);
});

test("a refused publish lets the next one go", async () => {
  const client = await durable();
  const refusal = assert.rejects(client.publish(LOBBY, "a"), { code: "key_conflict" });
  client.publish(LOBBY, "b");
  await FakeSocket.last.answer("publish", { type: "error", code: "key_conflict", message: "No." });
  await refusal;
  assert.deepEqual(datas(sent("publish")), ["a", "b"]);
});

test("a publish is given up after its time, with a sentence that says whether it may have arrived", async () => {
  const client = await durable();
  const tried = assert.rejects(client.publish(LOBBY, "a"), { code: "unacknowledged", message: /may have arrived or not/ });
  FakeSocket.last.lose();
  const untried = assert.rejects(client.publish(LOBBY, "b"), { code: "not_connected", message: /not sent/ });
  mock.timers.tick(PUBLISH_MS);
  await Promise.all([tried, untried]);
  FakeSocket.last.open();
  assert.deepEqual(sent("publish"), []);
});

test("a frame that the server cuts the connection for is not sent again", async () => {
  const client = await durable();
  const refusal = assert.rejects(client.publish(LOBBY, "a"), { code: "too_large" });
  comeBack(1009);
  await refusal;
  assert.deepEqual(sent("publish"), []);
});

test("nothing is written to a socket that is closing: browsers say so on the console, and its end rejects the call", async () => {
  const client = start();
  FakeSocket.last.open();
  await FakeSocket.last.answer("join", { type: "joined" });
  const socket = FakeSocket.last;
  socket.readyState = 2;
  const written = socket.sent.length;
  const lost = assert.rejects(client.publish(LOBBY, "a"), { code: "unacknowledged" });
  assert.equal(socket.sent.length, written);
  socket.lose();
  await lost;
});

test("in an ephemeral group nothing is sent twice or later, for the server does not know repeats there", async () => {
  const client = start();
  FakeSocket.last.open();
  await FakeSocket.last.answer("join", { type: "joined", replica: "web-1" });
  const lost = assert.rejects(client.publish(LOBBY, "a"), { code: "unacknowledged" });
  const second = assert.rejects(client.publish(LOBBY, "b"), { code: "unacknowledged" });
  assert.equal(sent("publish").length, 2);
  FakeSocket.last.lose();
  await Promise.all([lost, second]);
  await assert.rejects(client.publish(LOBBY, "c"), { code: "not_connected" });
  mock.timers.tick(BASE_MS);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent.map(({ type }) => type), ["join"]);
});

test("a position is compared within its epoch; frames without one have none", () => {
  const at = { epoch: "a", offset: 7 };
  assert.equal(placeOf(at, { epoch: "a", offset: 8 }), "next");
  assert.equal(placeOf(at, { epoch: "b", offset: 8 }), "next");
  assert.deepEqual([7, 1].map((offset) => placeOf(at, { epoch: "a", offset })), ["known", "known"]);
  assert.deepEqual([placeOf(at, { epoch: "a", offset: 9 }), placeOf(at, { epoch: "b", offset: 7 })], ["gap", "gap"]);
  assert.deepEqual(positionOf({ type: "ack", epoch: "a", offset: 0 }), { epoch: "a", offset: 0 });
  for (const frame of [{}, { epoch: "a" }, { epoch: 1, offset: 1 }, { epoch: "a", offset: "1" }]) assert.equal(positionOf(frame), null);
  assert.deepEqual([3, 0, -1, undefined, "3"].map((recovered) => recoveredOf({ type: "joined", recovered })), [3, 0, 0, 0, 0]);
});

test("a key is new each time, also on a page without HTTPS", () => {
  const { randomUUID } = globalThis.crypto;
  try {
    for (const available of [randomUUID, undefined]) {
      Object.defineProperty(globalThis.crypto, "randomUUID", { value: available, configurable: true, writable: true });
      const keys = Array.from({ length: 100 }, newKey);
      assert.equal(new Set(keys).size, 100);
      assert.ok(keys.every((key) => /^[0-9a-f-]{32,36}$/.test(key)));
    }
  } finally {
    delete globalThis.crypto.randomUUID;
  }
});

test("it comes back by itself, joins its groups again and tells when it will try", async () => {
  const client = start(["chat.a", "chat.b"]);
  const states = recorded(client, "state");
  FakeSocket.last.open();
  FakeSocket.last.lose(1006);
  assert.equal(client.state.state, "waiting");
  assert.equal(client.state.retryAt, Date.now() + 250);
  mock.timers.tick(249);
  assert.equal(FakeSocket.all.length, 1);
  mock.timers.tick(1);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent.map(({ group }) => group), ["chat.a", "chat.b"]);
  assert.deepEqual(states.map(({ state }) => state), ["open", "waiting", "connecting", "open"]);
});

test("the backoff grows while connections do not last and begins anew after one that did", () => {
  const client = start();
  const waits = [];
  const loseAfter = (ms) => {
    FakeSocket.last.open();
    mock.timers.tick(ms);
    FakeSocket.last.lose(1011);
    waits.push(client.state.retryAt - Date.now());
    mock.timers.tick(waits.at(-1));
  };
  for (const ms of [10, 10, 10, STABLE_MS, 10]) loseAfter(ms);
  assert.deepEqual(waits, [250, 500, 1000, 250, 500]);
});

test("the hint of a reconnect frame is honoured by the loss that follows, once", () => {
  const client = start();
  FakeSocket.last.open();
  mock.timers.tick(STABLE_MS);
  FakeSocket.last.say({ type: "reconnect", retry: 3000 });
  FakeSocket.last.lose(1012);
  assert.equal(client.state.retryAt - Date.now(), 3000 / 2);
});

test("after 4400 it stays away and says why, until it is asked to try again", () => {
  const client = start();
  FakeSocket.last.open();
  FakeSocket.last.lose(4400, "Not JSON.");
  assert.deepEqual([client.state.state, client.state.reason], ["closed", "Not JSON."]);
  mock.timers.tick(10 * CAP_MS);
  assert.equal(FakeSocket.all.length, 1);
  client.retryNow();
  assert.equal(FakeSocket.all.length, 2);
});

test("a refused join is rejected and not tried again; an unavailable one is", async () => {
  const client = start([]);
  FakeSocket.last.open();
  const refusal = assert.rejects(client.join("chat.secret"), { code: "forbidden" });
  await FakeSocket.last.answer("join", { type: "error", code: "forbidden", message: "No." });
  await refusal;
  const joined = client.join("chat.lobby");
  await FakeSocket.last.answer("join", { type: "error", code: "unavailable", message: "Redis is away." });
  assert.equal(FakeSocket.last.sent.length, 2);
  mock.timers.tick(CAP_MS);
  assert.equal(FakeSocket.last.sent.length, 3);
  await FakeSocket.last.answer("join", { type: "joined", replica: "web-1" });
  await joined;
  FakeSocket.last.lose();
  mock.timers.tick(BASE_MS);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent.map(({ group }) => group), ["chat.lobby"]);
});

test("a group that was left is not joined again", async () => {
  const client = start();
  FakeSocket.last.open();
  await FakeSocket.last.answer("join", { type: "joined", replica: "web-1" });
  const left = client.leave("chat.lobby");
  await FakeSocket.last.answer("leave", { type: "left" });
  await left;
  FakeSocket.last.lose();
  mock.timers.tick(BASE_MS);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent, []);
});

test("unknown and malformed frames change nothing; an error without a call is an event", () => {
  const client = start();
  const errors = recorded(client, "error");
  FakeSocket.last.open();
  FakeSocket.last.say({ type: "presence", id: 1 });
  FakeSocket.last.onmessage({ data: "nonsense" });
  FakeSocket.last.say({ type: "ack", id: 999 });
  FakeSocket.last.say({ type: "error", code: "bad_frame", message: "What?" });
  assert.equal(client.state.state, "open");
  assert.deepEqual(errors.map(({ code }) => code), ["bad_frame"]);
});

test("a handshake or a call without an answer gives the connection up", async () => {
  const client = start();
  mock.timers.tick(ANSWER_MS);
  assert.ok(FakeSocket.all[0].closed);
  assert.equal(client.state.state, "waiting");
  mock.timers.tick(BASE_MS);
  const second = FakeSocket.last;
  second.open();
  await second.answer("join", { type: "joined", replica: "web-1" });
  const refusal = assert.rejects(client.publish("chat.lobby", {}), { code: "unacknowledged" });
  mock.timers.tick(ANSWER_MS);
  await refusal;
  assert.ok(second.closed);
  second.lose(); // what a socket says after it was given up is not heard
  assert.equal(client.state.state, "waiting");
});

test("offline gives the connection up, online tries again at once", () => {
  const browser = new EventTarget();
  globalThis.addEventListener = browser.addEventListener.bind(browser);
  const client = start();
  FakeSocket.last.open();
  browser.dispatchEvent(new Event("offline"));
  assert.equal(client.state.state, "waiting");
  browser.dispatchEvent(new Event("online"));
  assert.equal(FakeSocket.all.length, 2);
  FakeSocket.last.open();
  browser.dispatchEvent(new Event("online"));
  assert.equal(FakeSocket.all.length, 2);
});

test("close is final, and settles what was waiting", async () => {
  const client = start();
  FakeSocket.last.open();
  const refusal = assert.rejects(client.publish("chat.lobby", {}), { code: "unacknowledged" });
  const unsent = assert.rejects(client.publish("chat.lobby", {}), { code: "not_connected" });
  client.close();
  await Promise.all([refusal, unsent]);
  await assert.rejects(client.publish("chat.lobby", {}), { code: "not_connected" });
  assert.ok(FakeSocket.last.closed);
  mock.timers.tick(10 * CAP_MS);
  assert.equal(FakeSocket.all.length, 1);
});
