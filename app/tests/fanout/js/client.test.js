/** The client of fanout.v1 and its backoff, without a browser: `node --test` on node 20.19 or later. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { ANSWER_MS, STABLE_MS, connect } from "../../../fanout/static/fanout/client.js";
import { parseFrame, socketUrl } from "../../../fanout/static/fanout/protocol.js";
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
const start = (groups = ["chat.lobby"]) =>
  connect({ url: "ws://host/ws/", groups, WebSocket: FakeSocket, random: half });

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
  assert.equal(retryDelay({ code: 1012, failures: 0, hint: 900 }, () => 0), 900);
  assert.equal(retryDelay({ code: 1012, failures: 0, hint: 1e9 }, () => 0), CAP_MS);
  assert.equal(retryDelay({ code: 1012, failures: 0, hint: -5 }, () => 0), 0);
  assert.equal(retryDelay({ code: 1013, failures: 0 }, half), 2000);
  assert.equal(retryDelay({ code: 1006, failures: 0, offline: true }, half), CAP_MS);
});

test("only 4400 and above forbid coming back", () => {
  assert.deepEqual([1000, 1006, 1012, 1013, 4008, 4399].filter((code) => !mayReturn(code)), []);
  assert.deepEqual([4400, 4403, 4999].filter(mayReturn), []);
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
  assert.deepEqual(joined, [{ group: "chat.lobby", replica: "web-2" }]);
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

test("publish without a connection is refused at once", async () => {
  const client = start();
  await assert.rejects(client.publish("chat.lobby", {}), { code: "not_connected" });
});

test("a publish that was not acknowledged before the loss is rejected and not sent again", async () => {
  const client = start();
  FakeSocket.last.open();
  const refusal = assert.rejects(client.publish("chat.lobby", { message: "a" }), { code: "unacknowledged" });
  FakeSocket.last.lose();
  await refusal;
  mock.timers.tick(BASE_MS);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent.map(({ type }) => type), ["join"]);
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
  assert.equal(client.state.retryAt - Date.now(), 3000 + HANDOVER_MS / 2);
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
  client.close();
  await refusal;
  assert.ok(FakeSocket.last.closed);
  mock.timers.tick(10 * CAP_MS);
  assert.equal(FakeSocket.all.length, 1);
});
