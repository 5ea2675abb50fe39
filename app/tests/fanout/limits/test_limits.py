"""What one client may take: each limit refuses in words, counts what it refused, and is not for who is exempt."""

import asyncio
import json
import time
from types import SimpleNamespace

import pytest
from channels.testing import ApplicationCommunicator, HttpCommunicator

from config.asgi import application
from fanout import close_codes, policy, protocol
from fanout.counters import counters
from fanout.history import History
from fanout.hub import close_hub, get_hub
from fanout.limits import admission, patience
from fanout.limits.bounds import LARGE_SECONDS, Limits, counted_address, deeper_than, limits, outbox_limit
from fanout.limits.bucket import Bucket, Buckets
from fanout.policy import Policy
from fanout.publishing import default_layer

LIMIT = 10
HOST = (b"host", b"localhost")
BY_ADDRESS = (
    "connections_per_address", "handshakes_per_second", "publishes_per_connection", "publishes_per_user",
    "publishes_per_address", "reads_per_second", "bytes_per_connection", "bytes_per_user", "bytes_per_address",
    "new_groups_per_minute", "idle_seconds",
)  # fmt: skip
STRANGER, OTHER = "203.0.113.7", "203.0.113.8"


class Open(Policy):
    """For everybody, and kept."""

    kind = "open"
    history = History(size=10, age=60)


@pytest.fixture(autouse=True)
async def open_kind(monkeypatch, memory_default_layer):
    monkeypatch.setitem(policy._policies, Open.kind, Open())
    monkeypatch.setattr(counters, "limited", type(counters.limited)())
    yield
    await close_hub()


@pytest.fixture
def clock(monkeypatch):
    """Time stands still for the rates: however busy the machine is, nothing is earned meanwhile."""
    monkeypatch.setattr(admission, "time", SimpleNamespace(monotonic=lambda: 1000.0))


class Socket(ApplicationCommunicator):
    """A client's WebSocket, from an address."""

    def __init__(self, address, path, subprotocols):
        super().__init__(application, {
            "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [HOST],
            "subprotocols": subprotocols, "client": [address, 1], "extensions": {"websocket.http.response": {}},
        })  # fmt: skip

    async def shake(self):
        """The answer to the handshake."""
        await self.send_input({"type": "websocket.connect"})
        return await self.receive_output(LIMIT)

    async def ask(self, **frame):
        """Send a frame and return the answer."""
        await self.send_input({"type": "websocket.receive", "text": json.dumps(frame)})
        answer = await self.receive_output(LIMIT)
        return json.loads(answer["text"]) if answer["type"] == "websocket.send" else answer


@pytest.fixture
async def come():
    """A client that shakes hands from an address; all have gone at the end."""
    came = []

    async def come(address=STRANGER, path="/ws/", subprotocols=("fanout.v1",)):
        socket = Socket(address, path, list(subprotocols))
        socket.answer = await socket.shake()
        came.append(socket)
        return socket

    yield come
    for socket in came:
        await leave(socket)


async def leave(socket):
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(LIMIT)


async def refused(socket):
    """Status, sentence and headers of a handshake that was refused."""
    assert socket.answer["type"] == "websocket.http.response.start", socket.answer
    body = await socket.receive_output(LIMIT)
    return socket.answer["status"], body["body"].decode(), dict(socket.answer["headers"])


async def request(method, path, body=b"", address=STRANGER, headers=()):
    """Ask over plain HTTP; return what is under way."""
    given = [HOST, (b"content-type", b"application/json"), *headers]
    communicator = HttpCommunicator(application, method, path, body=body, headers=given)
    communicator.scope["client"] = [address, 1]
    await communicator.send_input({"type": "http.request", "body": body})
    return communicator


async def answered(communicator):
    """Status, headers and body of what was asked."""
    start = await communicator.receive_output(LIMIT)
    body = (await communicator.receive_output(LIMIT))["body"]
    return start["status"], dict(start["headers"]), body


# -- who is counted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8::1:2", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::", "2001:db8::/64"),
        ("2001:db8::1%eth0", "2001:db8::/64"),
        ("127.0.0.1", None),
        ("::ffff:127.8.8.8", None),
        ("::1", None),
        ("no address", "no address"),
    ],
)
def test_a_client_is_counted_by_what_it_has(address, counted):
    """Of IPv6 a household's network; this machine is exempt."""
    assert counted_address(address) == counted


def test_a_bucket_gives_so_much_a_second_and_some_at_once():
    """What could be had later is told in seconds; nothing is saved beyond the burst."""
    bucket = Bucket(2, now=0)
    assert [bucket.take(1, 2, now) for now in (0, 0, 0, 0.5, 1, 10, 10, 10)] == [0, 0, 1, 0.5, 0, 0, 0, 1]
    heavy = Bucket(2, now=0)
    assert [heavy.take(1, 2, now, cost=cost) for now, cost in ((0, 3), (0, 1), (2, 1), (2, 3))] == [0, 2, 0, 2]


def test_forgotten_buckets_are_the_least_used():
    """So many strangers at once cost no more memory, and leave who is busy as it is."""
    buckets = Buckets(2)
    assert buckets.take("busy", 1, 1, 0) == 0
    for name in ("a", "b", "c"):
        assert buckets.take("busy", 1, 1, 0) == 1
        assert buckets.take(name, 1, 1, 0) == 0
    assert len(buckets._buckets) == 2


@pytest.mark.parametrize(
    ("data", "depth"), [(1, 0), ([], 1), ({"a": 1}, 1), ([1, [2], {"a": [3]}], 3), ({"a": {"b": {}}, "c": []}, 3)]
)
def test_depth_is_that_of_the_deepest(data, depth):
    """Whatever stands beside it."""
    assert not deeper_than(data, depth)
    assert depth == 0 or deeper_than(data, depth - 1)


# -- each limit -------------------------------------------------------------------------------------------------


async def test_connections_of_one_address(come, settings):
    """429 with a sentence; another address comes in, and this one again when one of its own has gone."""
    settings.FANOUT_LIMITS = {"connections_per_address": 2}
    first, _ = await come(), await come(path="/ws/chat/a/", subprotocols=())
    status, sentence, headers = await refused(await come())
    assert (status, headers[b"retry-after"]) == (429, b"10")
    assert sentence == "There are 2 connections from your address already: close one, or try again later.\n"
    assert (await come(OTHER)).answer["type"] == "websocket.accept"
    await leave(first)
    assert (await come()).answer["type"] == "websocket.accept"
    assert counters.limited == {"connections_per_address": 1}


async def test_streams_and_polls_are_connections(settings):
    """429 as problem details, with Retry-After; they make room when they end."""
    settings.FANOUT_LIMITS = {"connections_per_address": 1}
    stream = await request("GET", "/events/chat.a")
    assert (await stream.receive_output(LIMIT))["status"] == 200
    status, headers, body = await answered(await request("GET", "/poll/chat.a"))
    assert (status, headers[b"retry-after"], json.loads(body)["code"]) == (429, b"10", "too_many_connections")
    await stream.send_input({"type": "http.disconnect"})
    await stream.wait(LIMIT)
    assert (await answered(await request("GET", "/poll/chat.a")))[0] == 200


@pytest.mark.parametrize("gone", [False, True])
async def test_who_leaves_while_it_is_counted_for_its_account_is_taken_back_once(settings, monkeypatch, gone):
    """The account's other connections stay counted."""
    settings.FANOUT_LIMITS = {"connections_per_user": 10}
    layer, user = default_layer(), SimpleNamespace(pk=1)
    gate, entered, asked = admission.Admission(layer), asyncio.Event(), asyncio.Event()
    other, mine = [{"type": "websocket", "client": [STRANGER, port]} for port in (1, 2)]
    for scope in (other, mine):
        await gate.enter(scope)
    await gate.enter_account(other, user)

    async def claim(*_):
        asked.set()
        await entered.wait()
        return True

    monkeypatch.setattr(layer, "claim", claim)
    counting = asyncio.create_task(gate.enter_account(mine, user))
    await asked.wait()
    await gate.enter_account(mine, user)  # asked again meanwhile: it is one connection
    if gone:
        gate.leave(mine)
    entered.set()
    await counting
    assert gate._counted["user 1"] == (1 if gone else 2)
    gate.leave(mine)
    assert gate._counted["user 1"] == 1
    gate.leave(other)
    assert gate._counted["user 1"] == 0
    gate.stop()


@pytest.mark.parametrize("way", ["events", "poll"])
async def test_what_a_request_asks_for_is_read_when_it_is_let_in(settings, way):
    """It may name many groups, and places in them."""
    settings.FANOUT_LIMITS = {"connections_per_address": 1}
    stream = await request("GET", "/events/chat.a")
    assert (await stream.receive_output(LIMIT))["status"] == 200
    assert (await answered(await request("GET", f"/{way}/chat.a?since=nonsense&wait=nonsense")))[0] == 429
    await stream.send_input({"type": "http.disconnect"})
    await stream.wait(LIMIT)
    assert (await answered(await request("GET", f"/{way}/chat.a?since=nonsense&wait=nonsense")))[0] == 400


async def test_handshakes_of_one_address(come, settings, clock):
    """Ten seconds' worth at once, then 429 that says when."""
    settings.FANOUT_LIMITS = {"handshakes_per_second": 1}
    for _ in range(admission.STORM_SECONDS):
        assert (await come()).answer["type"] == "websocket.accept"
    status, sentence, headers = await refused(await come())
    assert (status, headers[b"retry-after"]) == (429, b"1")
    assert sentence == "Your address connects more than 1 times a second: wait 1 s.\n"
    assert (await come(OTHER)).answer["type"] == "websocket.accept"


@pytest.mark.parametrize("path", ["/history/open.a", "/document/notes/snapshot"])
@pytest.mark.django_db(transaction=True)
async def test_reads_of_one_address(settings, clock, path):
    """What was published before is looked up for each who asks: 429 that says when, another address is not touched."""
    settings.FANOUT_LIMITS = {"reads_per_second": 1}
    for _ in range(admission.STORM_SECONDS):
        assert (await answered(await request("GET", path)))[0] == 200
    status, headers, body = await answered(await request("GET", path))
    headers = {name.lower(): value for name, value in headers.items()}
    assert (status, headers[b"retry-after"], json.loads(body)["code"]) == (429, b"1", "too_fast")
    assert json.loads(body)["detail"] == "Your address reads more than 1 times a second: wait 1 s."
    assert (await answered(await request("GET", path, address=OTHER)))[0] == 200
    assert (await answered(await request("GET", path, address="127.0.0.1")))[0] == 200
    assert counters.limited == {"reads_per_second": 1}


async def test_publications_of_one_socket(come, settings, clock):
    """Two seconds' worth at once, then an error that says when; other sockets are not touched."""
    settings.FANOUT_LIMITS = {"publishes_per_connection": 1}
    socket, other = await come(), await come()
    for _ in range(2):
        assert (await socket.ask(type="publish", group="open.a", data=1))["type"] == "ack"
    answer = await socket.ask(type="publish", group="open.a", data=1, id=7)
    assert (answer["id"], answer["code"]) == (7, "too_fast")
    assert answer["message"].startswith("You send faster than 1 publications a second: wait ")
    assert (await other.ask(type="publish", group="open.a", data=1))["type"] == "ack"
    assert counters.limited == {"publishes_per_connection": 1}


async def test_who_goes_on_in_spite_of_refusals_is_closed(come, monkeypatch):
    """With 4429; frames that make no sense count as well."""
    monkeypatch.setattr(admission, "FLOOD", 5)
    socket = await come()
    for _ in range(5):
        assert (await socket.ask(type="nonsense"))["code"] == "unknown_type"
    await socket.send_input({"type": "websocket.receive", "text": "{}"})
    assert json.loads((await socket.receive_output(LIMIT))["text"])["code"] == "bad_frame"
    closed = await socket.receive_output(LIMIT)
    assert (closed["type"], closed["code"]) == ("websocket.close", close_codes.FLOODING)
    assert counters.limited == {"floods": 1}


async def test_a_plain_client_is_slowed_down(come, settings):
    """It knows no errors: everything it sends arrives, no faster than it may."""
    settings.FANOUT_LIMITS = {"publishes_per_connection": 20}
    socket, began = await come(path="/ws/chat/slow/", subprotocols=()), time.monotonic()
    for number in range(50):
        await socket.send_input({"type": "websocket.receive", "text": json.dumps({"message": str(number)})})
    told = [json.loads((await socket.receive_output(LIMIT))["text"])["message"] for _ in range(50)]
    assert told == [str(number) for number in range(50)]
    assert time.monotonic() - began > 10 / 20 * 0.9


async def test_publications_over_plain_http_of_one_address(settings, clock):
    """429 with Retry-After."""
    settings.FANOUT_LIMITS = {"publishes_per_user": 1}
    asked = [await answered(await request("POST", "/groups/open.a/publications", b"1")) for _ in range(3)]
    assert [status for status, *_ in asked] == [201, 201, 429]
    assert asked[2][1][b"retry-after"] == b"1"
    assert json.loads(asked[2][2])["code"] == "too_fast"


async def test_publications_of_one_address(come, settings, clock):
    """Over all its sockets and requests together, with an account or without; another address is not touched."""
    settings.FANOUT_LIMITS = {"publishes_per_address": 2}
    sockets, other = [await come() for _ in range(5)], await come(OTHER)
    answers = [await socket.ask(type="publish", group="open.a", data=1) for socket in sockets]
    assert [answer["type"] for answer in answers] == ["ack"] * 4 + ["error"]
    assert answers[4]["message"].startswith("Your address sends faster than 2 publications a second: wait ")
    status, headers, _ = await answered(await request("POST", "/groups/open.a/publications", b"1"))
    assert (status, headers[b"retry-after"]) == (429, b"1")
    assert (await sockets[4].ask(type="join", group="open.b"))["type"] == "joined"
    assert (await other.ask(type="publish", group="open.a", data=1))["type"] == "ack"
    assert counters.limited == {"publishes_per_address": 2}


async def test_bytes_of_one_socket(come, settings, clock):
    """Sixteen seconds' worth at once, then an error that says when, before anything is decoded; by UTF-8."""
    settings.FANOUT_LIMITS = {"bytes_per_connection": 1000}
    socket, other = await come(), await come()
    for _ in range(3):
        assert (await socket.ask(type="publish", group="open.a", data="x" * 5000))["type"] == "ack"
    answer = await socket.ask(type="publish", group="open.a", data="x" * 5000, id=7)
    assert (answer["id"], answer["code"]) == (7, "too_fast")
    assert answer["message"].startswith("You send more than 1000 bytes a second: wait 4.")
    assert answer["message"].endswith(" s, then send less at once.")
    assert (await other.ask(type="publish", group="open.a", data="x"))["type"] == "ack"
    text = json.dumps({"type": "publish", "group": "open.a", "data": "\u20ac" * 6000}, ensure_ascii=False)
    await other.send_input({"type": "websocket.receive", "text": text})
    assert json.loads((await other.receive_output(LIMIT))["text"])["code"] == "too_fast"
    assert counters.limited == {"bytes_per_connection": 2}


async def test_who_sends_more_at_once_than_it_may_pays_it_off(come, settings, monkeypatch):
    """A frame larger than all of it goes through when nothing was sent before, and nothing does until it is paid."""
    now = [1000.0]
    monkeypatch.setattr(admission, "time", SimpleNamespace(monotonic=lambda: now[0]))
    settings.FANOUT_LIMITS = {"bytes_per_connection": 1000}
    socket = await come()
    assert (await socket.ask(type="publish", group="open.a", data="x" * 100_000))["type"] == "ack"
    for seconds, kind in ((80, "error"), (4.5, "ack")):
        now[0] += seconds
        assert (await socket.ask(type="publish", group="open.a", data=1))["type"] == kind


async def test_bytes_of_one_address(come, settings, clock):
    """Over all its sockets and requests together, whatever they are; another address is not touched."""
    settings.FANOUT_LIMITS = {"bytes_per_address": 1000}
    sockets, other = [await come() for _ in range(4)], await come(OTHER)
    answers = [await socket.ask(type="publish", group="open.a", data="x" * 4800) for socket in sockets]
    assert [answer["type"] for answer in answers] == ["ack"] * 3 + ["error"]
    assert answers[3]["message"].startswith("Your address sends more than 1000 bytes a second: wait ")
    path = "/groups/open.a/publications"
    status, headers, body = await answered(await request("POST", path, b'"%b"' % (b"x" * 4800)))
    assert (status, headers[b"retry-after"], json.loads(body)["code"]) == (429, b"4", "too_fast")
    assert (await answered(await request("POST", path, b"1")))[0] == 201
    assert (await other.ask(type="publish", group="open.a", data="x" * 4800))["type"] == "ack"
    assert counters.limited == {"bytes_per_address": 2}


async def test_bytes_over_plain_http_of_one_address(settings, clock):
    """Its guests share what an account has."""
    settings.FANOUT_LIMITS = {"bytes_per_user": 100}
    body = b'"%b"' % (b"x" * 1000)
    asked = [await answered(await request("POST", "/groups/open.a/publications", body)) for _ in range(2)]
    assert [status for status, *_ in asked] == [201, 429]
    assert counters.limited == {"bytes_per_user": 1}


async def test_a_plain_client_sends_bytes_as_fast_as_it_may(come, settings):
    """All of it arrives, by and by."""
    settings.FANOUT_LIMITS = {"bytes_per_connection": 10_000}
    socket, began = await come(path="/ws/chat/slow/", subprotocols=()), time.monotonic()
    for _ in range(4):
        await socket.send_input({"type": "websocket.receive", "text": json.dumps({"message": "x" * 41_000})})
    for _ in range(4):
        assert len(json.loads((await socket.receive_output(LIMIT))["text"])["message"]) == 41_000
    assert time.monotonic() - began > 4000 / 10_000 * 0.9


async def test_groups_of_one_socket_or_request(come, settings):
    """One more is refused by name."""
    settings.FANOUT_LIMITS = {"groups_per_connection": 1}
    socket = await come()
    assert (await socket.ask(type="join", group="open.a"))["type"] == "joined"
    assert (await socket.ask(type="join", group="open.b"))["code"] == "too_many_groups"
    assert (await socket.ask(type="join", group="open.a"))["type"] == "joined"
    status, _, body = await answered(await request("GET", "/poll?group=open.a&group=open.b"))
    assert (status, json.loads(body)["code"]) == (400, "too_many_groups")


async def test_size_and_depth_of_what_is_published(come, settings):
    """Whatever the kind takes, over every way."""
    settings.FANOUT_LIMITS = {"frame_bytes": 100, "json_depth": 2}
    socket = await come()
    assert (await socket.ask(type="publish", group="open.a", data="x" * 100))["code"] == "too_large"
    assert (await socket.ask(type="publish", group="open.a", data=[[[1]]]))["code"] == "bad_data"
    assert (await socket.ask(type="publish", group="open.a", data=[[1]]))["type"] == "ack"
    path = "/groups/open.a/publications"
    assert (await answered(await request("POST", path, b'"%b"' % (b"x" * 100))))[0] == 413
    assert (await answered(await request("POST", path, b"[[[1]]]")))[0] == 422
    assert counters.limited == {"frame_bytes": 1, "json_depth": 2}


async def test_what_is_heavy_is_paid_by_weight_before_it_is_decoded(come, settings, clock, monkeypatch):
    """By size and by brackets, over every way; one that nobody could ever pay is let through by a full bucket."""
    settings.FANOUT_LIMITS = {"publishes_per_connection": 3, "publishes_per_user": 3}
    decoded, decode = [], protocol.decode
    monkeypatch.setattr(protocol, "decode", lambda text: decoded.append(len(text)) or decode(text))
    for heavy in ("x" * 40_000, [[]] * 700, "x" * 400_000):
        socket = await come()
        answers = [await socket.ask(type="publish", group="open.a", data=heavy, id=number) for number in range(2)]
        assert answers[0]["type"] == "ack"
        assert (answers[1]["id"], answers[1]["code"]) == (1, "too_fast")
    assert len(decoded) == 3
    body, path = json.dumps([[]] * 700).encode(), "/groups/open.a/publications"
    asked = [await answered(await request("POST", path, body)) for _ in range(2)]
    assert [status for status, *_ in asked] == [201, 429]
    assert (await answered(await request("POST", path, b"1", OTHER)))[0] == 201


@pytest.mark.parametrize("address", [STRANGER, "127.0.0.1"])
async def test_so_many_lists_and_objects_fit_one_frame(come, address, monkeypatch):
    """Beyond it is not decoded, whoever sends it; the answer says what and how many, and which frame."""
    socket, decode = await come(address), protocol.decode
    monkeypatch.setattr(protocol, "decode", lambda text: decode(text) if len(text) < 30_000 else pytest.fail("decoded"))
    answer = await socket.ask(type="publish", group="open.a", data=[[]] * 10_000, id=7)
    assert (answer["id"], answer["code"]) == (7, "bad_frame")
    sentence = "The JSON has {} opening brackets ([ or {{), a frame may have 10000: send less at once."
    assert answer["message"] == sentence.format(10_002)
    body = json.dumps([[]] * 10_000).encode()
    assert (await answered(await request("POST", "/groups/open.a/publications", body, address)))[0] == 400
    plain = await come(address, "/ws/chat/a/", ())
    await plain.send_input({"type": "websocket.receive", "text": body.decode()})
    closed = await plain.receive_output(LIMIT)
    assert (closed["type"], closed["code"]) == ("websocket.close", close_codes.BAD_INPUT)
    assert closed["reason"] == sentence.format(10_001)
    assert counters.limited == {"json_depth": 3}


def test_an_outbox_holds_what_both_allow(settings):
    """The kind and the limit for all kinds."""
    settings.FANOUT_LIMITS = {"outbox_bytes": 1000}
    assert outbox_limit(Open()) == 1000
    settings.FANOUT_LIMITS = {"outbox_bytes": 0}
    assert outbox_limit(Open()) == Open.outbox_limit


async def test_a_socket_that_waits_for_nothing_is_closed(come, settings, monkeypatch):
    """In no group and silent, with 4009; one that is in a group waits for what comes."""
    monkeypatch.setattr(patience, "LOOK_EVERY", 0.05)
    settings.FANOUT_LIMITS = {"idle_seconds": 1}
    idle, listening = await come(), await come()
    assert (await listening.ask(type="join", group="open.a"))["type"] == "joined"
    closed = await idle.receive_output(LIMIT)
    assert (closed["type"], closed["code"]) == ("websocket.close", close_codes.IDLE)
    assert await listening.receive_nothing(0.2)
    assert counters.limited == {"idle_seconds": 1}


async def test_who_has_left_its_last_group_waits_for_nothing(come, settings, monkeypatch):
    """And is closed like one that never joined."""
    monkeypatch.setattr(patience, "LOOK_EVERY", 0.05)
    settings.FANOUT_LIMITS = {"idle_seconds": 1}
    socket = await come()
    assert (await socket.ask(type="join", group="open.a"))["type"] == "joined"
    assert (await socket.ask(type="leave", group="open.a"))["type"] == "left"
    closed = await socket.receive_output(LIMIT)
    assert (closed["type"], closed["code"]) == ("websocket.close", close_codes.IDLE)


async def test_a_socket_without_an_account_in_time_is_closed(come, settings, monkeypatch):
    """With 4401, plain clients too, where a time is set."""
    monkeypatch.setattr(patience, "LOOK_EVERY", 0.05)
    settings.FANOUT_LIMITS = {"unauthenticated_seconds": 1}
    for socket in [await come(), await come(path="/ws/chat/a/", subprotocols=())]:
        closed = await socket.receive_output(LIMIT)
        assert (closed["type"], closed["code"]) == ("websocket.close", close_codes.SESSION_ENDED)
        assert closed["reason"] == "You need an account here within 1 s: log in."


async def test_a_stream_without_an_account_in_time_is_cut(settings, monkeypatch):
    """Where a time is set; what it had is over, and it may come back."""
    monkeypatch.setattr(patience, "LOOK_EVERY", 0.05)
    settings.FANOUT_LIMITS = {"unauthenticated_seconds": 1}
    stream = await request("GET", "/events/chat.a")
    assert (await stream.receive_output(LIMIT))["status"] == 200
    async with asyncio.timeout(LIMIT):
        await stream.wait(LIMIT)
    assert get_hub().groups == {}
    assert counters.limited == {"unauthenticated_seconds": 1}


async def test_new_groups_of_one_address(come, settings, clock):
    """Rooms that nobody is in and nobody has written to; what is there is free, and so is what one has begun."""
    settings.FANOUT_LIMITS = {"new_groups_per_minute": 2}
    local = await come("127.0.0.1")
    assert (await local.ask(type="publish", group="open.there", data=1))["type"] == "ack"
    socket = await come()
    for group in ("open.a", "open.b"):
        assert (await socket.ask(type="publish", group=group, data=1))["type"] == "ack"
    assert (await socket.ask(type="join", group="open.c"))["code"] == "too_fast"
    assert (await socket.ask(type="publish", group="open.c", data=1))["code"] == "too_fast"
    for group in ("open.a", "open.there"):
        assert (await socket.ask(type="join", group=group))["type"] in ("joined", "publication")
    assert (await answered(await request("POST", "/groups/open.d/publications", b"1")))[0] == 429
    status, sentence, _ = await refused(await come(path="/ws/chat/fresh/", subprotocols=()))
    assert (status, sentence[:44]) == (429, "You begin more than 2 new groups a minute: w")


async def test_who_is_exempt_has_no_limit_by_address(come, settings):
    """This machine by default, and whoever comes through a unix socket without a proxy."""
    settings.FANOUT_LIMITS = dict.fromkeys(BY_ADDRESS, 1)
    for address in ("127.0.0.1", None):
        sockets = [await come(address) for _ in range(12)]
        assert {socket.answer["type"] for socket in sockets} == {"websocket.accept"}
        answers = [await socket.ask(type="publish", group=f"open.{n}", data=1) for n, socket in enumerate(sockets)]
        assert {answer["type"] for answer in answers} == {"ack"}
        path = "/groups/open.a/publications"
        assert {(await answered(await request("POST", path, b"1", address)))[0] for _ in range(5)} == {201}
    assert counters.limited == {}


@pytest.mark.parametrize("address", ["127.0.0.1", None])
async def test_what_a_socket_may_do_holds_for_who_is_exempt(come, settings, clock, monkeypatch, address):
    """All clients of an Ingress may share its address: each of them is limited by itself."""
    monkeypatch.setattr(patience, "LOOK_EVERY", 0.05)
    own = ("publishes_per_connection", "bytes_per_connection", "idle_seconds", "unauthenticated_seconds")
    for limit in ("idle_seconds", "unauthenticated_seconds"):
        settings.FANOUT_LIMITS = {"idle_seconds": 0, limit: 1}
        assert (await (await come(address)).receive_output(LIMIT))["type"] == "websocket.close"
    for limit, data in (("publishes_per_connection", 1), ("bytes_per_connection", "x" * 100)):
        settings.FANOUT_LIMITS = {limit: 1}
        socket, other = await come(address), await come(address)
        answers = [await socket.ask(type="publish", group="open.a", data=data) for _ in range(3)]
        assert answers[-1]["code"] == "too_fast"
        assert (await other.ask(type="publish", group="open.a", data=data))["type"] == "ack"
    assert set(counters.limited) == set(own)


async def test_this_machine_may_be_without_limits(come, settings, monkeypatch):
    """In development, for loads: whoever has an address of its networks, or none."""
    monkeypatch.setattr(patience, "LOOK_EVERY", 0.05)
    settings.FANOUT_LIMITS = dict.fromkeys(BY_ADDRESS, 1) | {"unlimited": ("127.0.0.0/8",)}
    for address in ("127.0.0.1", None):
        sockets = [await come(address) for _ in range(12)]
        assert {socket.answer["type"] for socket in sockets} == {"websocket.accept"}
        answers = [await sockets[0].ask(type="publish", group=f"open.{n}", data=1) for n in range(5)]
        assert {answer["type"] for answer in answers} == {"ack"}
    assert await sockets[1].receive_nothing(1.3)
    assert counters.limited == {}


async def test_a_limit_of_0_is_none(come, settings):
    """And all of them are lifted at once by FANOUT_LIMITS=off."""
    settings.FANOUT_LIMITS = dict.fromkeys(Limits.__slots__, 0) | {"exempt": (), "unlimited": ()}
    assert limits().lifted
    sockets = [await come() for _ in range(20)]
    assert {socket.answer["type"] for socket in sockets} == {"websocket.accept"}
    answers = [await sockets[0].ask(type="publish", group=f"open.{n}", data=json.loads("[" * 99 + "]" * 99))
               for n in range(20)]  # fmt: skip
    assert {answer["type"] for answer in answers} == {"ack"}
    await asyncio.sleep(0)


def test_a_longer_life_than_a_page_needs_is_no_default():
    """The numbers relate to each other."""
    given = Limits()
    assert given.connections_per_user < given.connections_per_address
    assert given.publishes_per_connection < given.publishes_per_user < given.publishes_per_address
    assert given.bytes_per_connection < given.bytes_per_user < given.bytes_per_address
    assert given.frame_bytes <= given.bytes_per_connection * LARGE_SECONDS
    assert not given.lifted
