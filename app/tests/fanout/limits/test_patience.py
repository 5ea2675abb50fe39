"""For how long a socket may wait for nothing, and be nobody's."""

import asyncio

import pytest

from fanout import close_codes
from fanout.counters import counters
from fanout.hub import get_hub
from fanout.limits import patience
from tests.fanout.limits.clients import LIMIT, STRANGER, Socket, leave, request

pytestmark = pytest.mark.usefixtures("open_kind")


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


@pytest.mark.parametrize("path", ["/ws/", "/ws/chat/a/"])
async def test_who_has_gone_is_waited_for_no_more(settings, path):
    """Nothing of it is left, whether it was to say something or to log in."""
    settings.FANOUT_LIMITS = {"idle_seconds": 100, "unauthenticated_seconds": 100}
    waited = get_hub().patience
    socket = Socket(STRANGER, path, ["fanout.v1"] if path == "/ws/" else [])
    assert (await socket.shake())["type"] == "websocket.accept"
    assert waited._strangers
    await leave(socket)
    assert (waited._idle, waited._strangers) == ({}, {})


async def test_a_stream_that_has_ended_is_waited_for_no_more(settings):
    """Nor is a request."""
    settings.FANOUT_LIMITS = {"unauthenticated_seconds": 100}
    stream = await request("GET", "/events/chat.a")
    assert (await stream.receive_output(LIMIT))["status"] == 200
    assert get_hub().patience._strangers
    await stream.send_input({"type": "http.disconnect"})
    await stream.wait(LIMIT)
    assert not get_hub().patience._strangers
