"""How large, deep and heavy a frame may be, and what a client is counted by."""

import json

import pytest

from fanout import close_codes, protocol
from fanout.counters import counters
from fanout.limits.bounds import LARGE_SECONDS, Limits, counted_address, deeper_than, outbox_limit
from tests.fanout.limits.clients import LIMIT, OTHER, STRANGER, Open, answered, request

pytestmark = pytest.mark.usefixtures("open_kind")


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


@pytest.mark.parametrize(
    ("data", "depth"), [(1, 0), ([], 1), ({"a": 1}, 1), ([1, [2], {"a": [3]}], 3), ({"a": {"b": {}}, "c": []}, 3)]
)
def test_depth_is_that_of_the_deepest(data, depth):
    """Whatever stands beside it."""
    assert not deeper_than(data, depth)
    assert depth == 0 or deeper_than(data, depth - 1)


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


def test_a_longer_life_than_a_page_needs_is_no_default():
    """The numbers relate to each other."""
    given = Limits()
    assert given.connections_per_user < given.connections_per_address
    assert given.publishes_per_connection < given.publishes_per_user < given.publishes_per_address
    assert given.bytes_per_connection < given.bytes_per_user < given.bytes_per_address
    assert given.frame_bytes <= given.bytes_per_connection * LARGE_SECONDS
    assert not given.lifted
