"""How much one client may publish in a second: each limit refuses in words, and counts what it refused."""

import json
import time
from types import SimpleNamespace

import pytest

from fanout import close_codes
from fanout.counters import counters
from fanout.limits import admission
from tests.fanout.limits.clients import LIMIT, OTHER, answered, request

pytestmark = pytest.mark.usefixtures("open_kind")


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
