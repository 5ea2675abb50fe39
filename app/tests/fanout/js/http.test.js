/** The way over plain HTTP, and when the client takes it: the other side is the test. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { CAP_MS } from "../../../fanout/static/fanout/retry.js";
import { ANSWER_MS, UPGRADE_MS, connect } from "../../../fanout/static/fanout/client.js";
import { FIRST_MS, SILENCE_MS } from "../../../fanout/static/fanout/http.js";

const LOBBY = "chat.lobby";

/** A WebSocket that a test opens, or loses. */
class FakeSocket {
  static all = [];
  sent = [];

  constructor() {
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
}

/** Requests that wait for what the test answers. */
class Server {
  requests = [];

  fetch = (url, { signal, ...init } = {}) =>
    new Promise((resolve, reject) => {
      const request = { url: new URL(url), init, resolve, reject, aborted: false };
      signal?.addEventListener("abort", () => {
        request.aborted = true;
        request.stream?.error(new Error("aborted"));
        reject(new DOMException("aborted", "AbortError"));
      });
      this.requests.push(request);
    });

  get last() {
    return this.requests.at(-1);
  }

  /** Answer the last request with JSON. */
  async json(body, status = 200) {
    this.last.resolve(new Response(JSON.stringify(body), { status }));
    await settle();
  }

  /** Begin to answer the last request with a stream. */
  async stream(...frames) {
    const { last } = this;
    last.resolve(new Response(new ReadableStream({ start: (controller) => void (last.stream = controller) })));
    await this.bytes("retry: 1000\n\n");
    await this.events(...frames);
  }

  async bytes(text) {
    this.last.stream.enqueue(new TextEncoder().encode(text));
    await settle();
  }

  async events(...frames) {
    for (const frame of frames) await this.bytes(`event: ${frame.type}\nid: x\ndata: ${JSON.stringify(frame)}\n\n`);
  }
}

/** Let promises and streams run; the clock stands still. */
const settle = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

const half = () => 0.5;
let server;

const start = (options = {}) =>
  connect({ url: "ws://host/ws/", groups: [LOBBY], WebSocket: FakeSocket, fetch: server.fetch, random: half, ...options });

const recorded = (client, type) => {
  const seen = [];
  client.on(type, (detail) => seen.push(detail));
  return seen;
};

const joined = (offset, more = {}) => ({ type: "joined", group: LOBBY, replica: "web-1", epoch: "a", offset, recovered: 0, ...more });
const publication = (offset) => ({ type: "publication", group: LOBBY, epoch: "a", offset, data: offset });
const fields = () => [...server.last.url.searchParams].map((field) => field.join("="));
const offsets = (publications) => publications.map(({ offset }) => offset);

async function pass(ms) {
  mock.timers.tick(ms);
  await settle();
}

/** Let time pass in which the server says no more than that it is there. */
async function quiet(ms) {
  for (let passed = 0; passed < ms; passed += SILENCE_MS / 4) {
    await server.bytes(":\n\n");
    await pass(SILENCE_MS / 4);
  }
}

/** A client on an event stream, behind offset 7. */
async function streaming(options) {
  const client = start({ transport: "sse", ...options });
  await settle();
  await server.stream(joined(7));
  return client;
}

beforeEach(() => {
  FakeSocket.all = [];
  server = new Server();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});

afterEach(() => mock.timers.reset());

test("an event stream is asked for all groups, and carries what a WebSocket does", async () => {
  const client = start({ transport: "sse", groups: [LOBBY, "chat.b"], last: 50 });
  const [seen, states] = [recorded(client, "publication"), recorded(client, "state")];
  await settle();
  assert.equal(server.last.url.pathname, "/events");
  assert.deepEqual(fields(), ["group=chat.lobby", "last=chat.lobby@50", "group=chat.b", "last=chat.b@50"]);
  await server.stream(joined(7, { recovered: 1 }), publication(7), joined(3, { group: "chat.b" }), publication(8));
  assert.deepEqual(seen.map(({ offset, recovered }) => [offset, recovered]), [[7, true], [8, false]]);
  assert.deepEqual(states.map(({ state, transport }) => [state, transport]), [["open", "sse"]]);
});

test("a stream that ends is gone on behind the last publication, at once when the replica said so", async () => {
  const client = await streaming();
  const seen = recorded(client, "publication");
  await server.events(publication(8), { type: "reconnect", retry: 400 });
  server.last.stream.close();
  await settle();
  assert.equal(client.state.code, 1012);
  await pass(200);
  assert.deepEqual(fields(), ["group=chat.lobby", "since=chat.lobby@a:8"]);
  await server.stream(joined(10, { recovered: 2 }), publication(9), publication(10));
  assert.deepEqual(offsets(seen), [8, 9, 10]);
});

test("an event may come in pieces", async () => {
  const client = await streaming();
  const seen = recorded(client, "publication");
  const text = new TextEncoder().encode(`id: a:8\ndata: ${JSON.stringify({ ...publication(8), data: "Grüße" })}\n\n`);
  for (const byte of text) server.last.stream.enqueue(new Uint8Array([byte]));
  await settle();
  assert.deepEqual(seen.map(({ data }) => data), ["Grüße"]);
});

test("who joins one more group asks anew, and hears each publication once", async () => {
  const client = await streaming();
  const [seen, joins] = [recorded(client, "publication"), recorded(client, "joined")];
  await server.events(publication(8));
  const joining = client.join("chat.b");
  await settle();
  assert.deepEqual(fields(), ["group=chat.lobby", "since=chat.lobby@a:8", "group=chat.b"]);
  assert.ok(server.requests[0].aborted);
  await server.stream(joined(9, { recovered: 1 }), publication(9), joined(1, { group: "chat.b" }));
  await joining;
  assert.deepEqual(offsets(seen), [8, 9]);
  assert.deepEqual(joins.map(({ group }) => group), ["chat.b"]);
  client.leave("chat.b");
  await settle();
  assert.deepEqual(fields(), ["group=chat.lobby", "since=chat.lobby@a:9"]);
});

test("a reset that a new request brings is told", async () => {
  const client = await streaming();
  const resets = recorded(client, "reset");
  client.join("chat.b").catch(() => {});
  await settle();
  await server.stream(joined(20, { reset: "trimmed" }), publication(21));
  assert.deepEqual(resets, [{ group: LOBBY, reason: "trimmed", epoch: "a", offset: 20 }]);
});

test("a group that is refused is left out, the others go on", async () => {
  const client = start({ transport: "sse", groups: [LOBBY, "secret.a"] });
  const errors = recorded(client, "error");
  await settle();
  await server.json({ code: "forbidden", detail: "You may not join secret.a.", group: "secret.a" }, 403);
  assert.deepEqual(fields(), ["group=chat.lobby"]);
  assert.deepEqual(new Set(errors.map(({ code }) => code)), new Set(["forbidden"]));
  await server.stream(joined(7));
  assert.equal(client.state.state, "open");
});

test("polls go on behind what came, and in an ephemeral group from where they were", async () => {
  const client = start({ transport: "poll", groups: [LOBBY, "live.a"] });
  const seen = recorded(client, "publication");
  await settle();
  assert.equal(server.last.url.pathname, "/poll");
  const value = { type: "publication", group: "live.a", data: "x" };
  await server.json({
    replica: "web-1",
    groups: [
      { group: LOBBY, since: "a:7", epoch: "a", offset: 7, publications: [] },
      { group: "live.a", since: ":1.2.3", publications: [value] },
    ],
  });
  assert.deepEqual(fields(), ["group=chat.lobby", "since=chat.lobby@a:7", "group=live.a", "since=live.a@:1.2.3"]);
  const empty = { group: "live.a", since: ":1.2.4", publications: [] };
  await server.json({ replica: "web-2", groups: [{ group: LOBBY, since: "a:8", epoch: "a", offset: 8, publications: [publication(8)] }, empty] });
  assert.deepEqual(seen.map(({ data }) => data), ["x", 8]);
  assert.deepEqual(fields(), ["group=chat.lobby", "since=chat.lobby@a:8", "group=live.a", "since=live.a@:1.2.4"]);
});

test("a publish is a POST with its key, and is sent again with the same one", async () => {
  const client = await streaming();
  const publishing = client.publish(LOBBY, { message: "hi" });
  await settle();
  const first = server.last;
  assert.deepEqual([first.url.pathname, first.init.method, first.init.body], ["/groups/chat.lobby/publications", "POST", '{"message":"hi"}']);
  first.reject(new TypeError("network"));
  await settle();
  await pass(1000);
  assert.deepEqual(server.last.init.headers, first.init.headers);
  await server.json({ group: LOBBY, epoch: "a", offset: 8 }, 201);
  assert.deepEqual(await publishing, { epoch: "a", offset: 8 });
});

test("a publish that is refused is rejected with the server's sentence", async () => {
  const client = await streaming();
  const refusal = assert.rejects(client.publish(LOBBY, 3), { code: "bad_data", message: "Send an object." });
  await settle();
  await server.json({ code: "bad_data", detail: "Send an object." }, 422);
  await refusal;
});

test("after two WebSockets that do not open the client streams, and goes back to one that opens", async () => {
  const client = start();
  const states = recorded(client, "state");
  FakeSocket.last.onclose({ code: 1006, reason: "" });
  await pass(500);
  FakeSocket.last.onclose({ code: 1006, reason: "" });
  await pass(1000);
  assert.equal(FakeSocket.all.length, 2);
  await server.stream(joined(7));
  assert.deepEqual([client.state.state, client.state.transport], ["open", "sse"]);
  await quiet(UPGRADE_MS);
  assert.equal(FakeSocket.all.length, 3);
  assert.equal(client.state.transport, "sse");
  FakeSocket.last.onopen();
  assert.deepEqual([client.state.state, client.state.transport], ["open", "websocket"]);
  assert.ok(server.last.aborted);
  assert.deepEqual(FakeSocket.last.sent, [{ type: "join", group: LOBBY, since: { epoch: "a", offset: 7 }, id: FakeSocket.last.sent[0].id }]);
  assert.deepEqual(states.filter(({ state }) => state === "closed"), []);
});

test("a WebSocket that still does not open leaves the stream alone, and is tried ever more rarely", async () => {
  const client = start();
  for (const wait of [500, 1000]) {
    FakeSocket.last.onclose({ code: 1006, reason: "" });
    await pass(wait);
  }
  await server.stream(joined(7));
  for (const wait of [UPGRADE_MS, 2 * UPGRADE_MS]) {
    const before = FakeSocket.all.length;
    await quiet(wait);
    assert.equal(FakeSocket.all.length, before + 1);
    FakeSocket.last.onclose({ code: 1006, reason: "" });
  }
  assert.deepEqual([client.state.state, client.state.transport], ["open", "sse"]);
});

test("a stream that is held up gives way to polls", async () => {
  const client = start();
  for (const wait of [500, 1000]) {
    FakeSocket.last.onclose({ code: 1006, reason: "" });
    await pass(wait);
  }
  assert.equal(server.last.url.pathname, "/events");
  await pass(FIRST_MS);
  await pass(2000);
  assert.equal(server.last.url.pathname, "/poll");
  await server.json({ replica: "web-1", groups: [{ group: LOBBY, since: "a:7", epoch: "a", offset: 7, publications: [] }] });
  assert.deepEqual([client.state.state, client.state.transport], ["open", "poll"]);
});

test("when HTTP does not answer either it is the server, and the wait grows", async () => {
  const client = start();
  const tried = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    tried.push(client.state.transport);
    if (client.state.transport === "websocket") FakeSocket.last.onclose({ code: 1006, reason: "" });
    else server.last.reject(new TypeError("network"));
    await settle();
    const wait = client.state.retryAt - Date.now();
    assert.ok(wait >= Math.min(CAP_MS, 500 * 2 ** attempt) / 2, `${attempt}: ${wait}`);
    await pass(wait);
  }
  assert.deepEqual(tried, ["websocket", "websocket", "sse", "websocket", "sse", "websocket", "sse", "websocket"]);
});

test("a server that is not there for now is asked later, one that refuses the page is not asked again", async () => {
  const client = start({ transport: "sse" });
  await settle();
  await server.json({ code: "unavailable", detail: "Redis does not answer." }, 503);
  assert.deepEqual([client.state.state, client.state.code, client.state.reason], ["waiting", 1013, "Redis does not answer."]);
  await pass(CAP_MS);
  await server.json({ code: "too_many_connections", detail: "Close one." }, 429);
  assert.deepEqual([client.state.state, client.state.code, client.state.reason], ["waiting", 1013, "Close one."]);
  await pass(CAP_MS);
  await server.json({ code: "bad_origin", detail: "Not this page." }, 403);
  assert.deepEqual([client.state.state, client.state.code, client.state.reason], ["closed", 4403, "Not this page."]);
});

test("a stream that falls silent is given up", async () => {
  const client = await streaming();
  await pass(SILENCE_MS - 1);
  assert.equal(client.state.state, "open");
  await pass(1);
  assert.deepEqual([client.state.state, client.state.transport], ["waiting", "sse"]);
});

test("presence is asked for and told on each way", async () => {
  const client = start({ transport: "sse", presence: true, info: { name: "Ada" } });
  const [joins, changes] = [recorded(client, "joined"), recorded(client, "presence")];
  await settle();
  assert.deepEqual(fields(), ["group=chat.lobby", "presence=chat.lobby@1", 'info=chat.lobby@{"name":"Ada"}']);
  const there = { count: 1, members: [{ id: "x-1", info: null }] };
  await server.stream(joined(7, { member: "x-2", presence: there }), { type: "presence", group: LOBBY, count: 2, join: [] });
  assert.deepEqual([joins[0].member, joins[0].presence], ["x-2", there]);
  assert.deepEqual(changes, [{ group: LOBBY, count: 2, join: [] }]);
});

test("a page that is looked at again after a silence asks whether its line still lives", async () => {
  const listeners = {};
  globalThis.addEventListener = (type, listener) => void (listeners[type] = listener);
  try {
    const client = start();
    FakeSocket.last.onopen();
    FakeSocket.last.onmessage({ data: JSON.stringify({ ...joined(7), id: FakeSocket.last.sent[0].id }) });
    listeners.pageshow();
    assert.equal(FakeSocket.last.sent.length, 1);
    await pass(ANSWER_MS + 6000);
    listeners.pageshow();
    assert.deepEqual(FakeSocket.last.sent[1].type, "leave");
    await pass(5000);
    assert.equal(client.state.state, "waiting");
  } finally {
    delete globalThis.addEventListener;
  }
});
