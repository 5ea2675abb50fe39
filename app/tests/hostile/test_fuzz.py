"""Random bytes and frames: each is taken, or refused by a sentence; nothing else ever happens. `make fuzz` has more."""

import asyncio
import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanout import policy, protocol
from fanout.errors import BadFrame, BadGroup, FanoutError
from fanout.groups import NAME, check_group
from fanout.history import History
from fanout.http.parameters import wanted
from fanout.http.publications import key_of
from fanout.http.request import accepted
from fanout.hub import close_hub
from fanout.limits.admission import ALLOWANCE
from fanout.policy import Policy
from fanout.session import Session
from fanout.sockets import EXTENSION
from server.upgrade import upgrade_in
from tests.server.test_entrance import LONG, SHORT

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.sampled_from(["open.a", "open.b", "closed.a", "", "a b", "open.ä", "../x", "open.\u202ea", "o" * 100])
SINCE = st.fixed_dictionaries({"epoch": st.text(max_size=6), "offset": st.integers(-1, 2**60)}) | JSON
FIELDS = {
    "type": st.sampled_from(["join", "leave", "publish", "authenticate", "joined", "", 7]),
    "group": NAMES | JSON,
    "id": st.integers(-(2**70), 2**70) | JSON,
    "since": SINCE,
    "last": st.integers(-1, 1001) | JSON,
    "presence": st.booleans() | JSON,
    "info": JSON,
    "data": JSON,
    "key": st.text(max_size=70) | JSON,
    "ticket": st.text(max_size=70) | JSON,
}
FRAMES = st.fixed_dictionaries({}, optional=FIELDS)
QUERIES = st.dictionaries(
    st.sampled_from(["group", "since", "last", "info", "epoch", "offset", "presence"]),
    st.lists(st.text(max_size=30), min_size=1, max_size=3),
)
WORDS = b"GET /ws/chat/?a=%20 HTTP/1.1\r\nUpgrade: websocketConnection,Sec-WebSocket-Key:\r\n\r\n\x00\xff"


class Open(Policy):
    """For everybody."""

    kind = "open"
    history = History(size=10, age=60)
    presence = True

    async def member(self, scope, group, info):
        return info


class Socket:
    """Keeps what it is told."""

    farewell = None
    queued_bytes = 0

    def __init__(self):
        self.told, self.closed = [], None

    @property
    def broadcaster(self):
        return self

    def broadcast(self, sockets, payloads, limit):
        pass

    def accept(self, subprotocol=None):
        pass

    def send(self, *payloads):
        self.told += payloads

    def close(self, code, reason):
        self.closed = code, reason


@given(st.binary(max_size=200) | st.text(max_size=200) | FRAMES.map(json.dumps))
def test_whatever_is_decoded_is_a_frame_or_is_refused(text):
    """By an error of the protocol; the id of what was refused is looked for without harm."""
    frame = refused = None
    try:
        frame = protocol.decode(text)
    except FanoutError as error:
        refused = error
    assert isinstance(frame, protocol.Frame) or str(refused)
    number = protocol.id_of(text)
    assert number is None or isinstance(number, int)


@given(st.lists(FRAMES.map(json.dumps) | st.text(max_size=100) | st.none(), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_session_answers_whatever_it_is_sent(memory_default_layer, texts):
    """Each frame gets one answer, in order, that fits what the protocol says; the session never fails."""

    async def talk():
        socket = Socket()
        scope = {"type": "websocket", "headers": [], "extensions": {EXTENSION: {"socket": socket}}}
        session = Session(scope, socket)
        assert ALLOWANCE not in scope
        await session.open()
        for text in texts:
            before = len(socket.told)
            await session.receive({"type": "websocket.receive", "text": text})
            answers = [msgspec.json.decode(told) for told in socket.told[before:]]
            mine = [each for each in answers if each["type"] in ("joined", "left", "ack", "error", "authenticated")]
            assert len(mine) == 1, (text, answers)
        assert socket.closed is None
        await session.disconnect()
        await close_hub()

    policy._policies["open"] = Open()
    try:
        asyncio.run(talk())
    finally:
        del policy._policies["open"]


@given(st.text(max_size=120) | st.from_regex(NAME) | NAMES)
def test_a_groups_name_is_ascii_or_refused(name):
    """No look-alike, no direction mark, no path, no line's end gets through: what does is letters, digits, - _ and ."""
    try:
        assert check_group(name) == name
    except BadGroup:
        return
    assert name.isascii()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert 1 <= len(name) <= 99


@given(
    st.lists(st.binary(max_size=40) | st.sampled_from([*SHORT.values(), *LONG.values()]), max_size=4).map(b"".join)
    | st.lists(st.integers(0, len(WORDS) - 1), max_size=120).map(lambda at: bytes(WORDS[each] for each in at))
)
def test_the_first_bytes_of_a_connection_are_an_upgrade_or_twisteds(data):
    """Never an error; what is behind the head is handed on to the last byte."""
    found = upgrade_in(data)
    if found is not None:
        head, rest = found
        assert data.endswith(rest)
        assert head.raw_path.startswith(b"/")
        assert b"\r\n\r\n" in data


@given(NAMES, QUERIES, st.text(max_size=30))
def test_a_query_is_understood_or_refused(group, query, last_event_id):
    """By an error of the protocol."""
    try:
        places = wanted(group, query, last_event_id)
    except FanoutError:
        return
    assert all(NAME.fullmatch(place.group) for place in places)


@given(st.text(max_size=80), st.text(max_size=80))
def test_headers_are_understood_or_refused(key, accept):
    """An idempotency key is printable ASCII or none; Accept answers yes or no."""
    assert accepted(accept, "application/json") in (True, False)
    try:
        assert 1 <= len(key_of(key)) <= protocol.KEY_LIMIT
    except BadFrame:
        assert key is not None


@pytest.fixture(scope="module")
def replica(start_once):
    """The whole application in a replica of its own."""
    return start_once.replica()


UPGRADE = SHORT["one subprotocol"].replace(b"GET / ", b"GET /ws/ ").replace(b"example.org:8000", b"localhost")
OPCODES = st.sampled_from([0x81, 0x01, 0x80, 0x82, 0x88, 0x89, 0x8A, 0x83, 0xF1, 0xC1])
MASKED = st.builds(lambda opcode, mask, body: bytes((opcode, mask | len(body))) + body,
                   OPCODES, st.sampled_from([0, 0x80]), st.binary(max_size=125))  # fmt: skip


@given(st.lists(st.binary(max_size=100) | MASKED, max_size=8).map(b"".join))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_a_replica_takes_any_bytes_behind_a_handshake(replica, data):
    """It answers or closes, logs no traceback, and serves the next client."""
    with replica.connection() as connection:
        connection.sendall(UPGRADE + data)
        assert connection.recv(12) == b"HTTP/1.1 101"
    assert replica.popen.poll() is None
    assert "Traceback" not in replica.log
    assert replica.get("/healthz")[0] == 200
