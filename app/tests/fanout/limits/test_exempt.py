"""Whom the limits by address are not for, and how all of them are lifted."""

import asyncio
import json

import pytest

from fanout.counters import counters
from fanout.limits import patience
from fanout.limits.bounds import Limits, limits
from tests.fanout.limits.clients import LIMIT, answered, request

pytestmark = pytest.mark.usefixtures("open_kind")

BY_ADDRESS = (
    "connections_per_address", "handshakes_per_second", "publishes_per_connection", "publishes_per_user",
    "publishes_per_address", "reads_per_second", "bytes_per_connection", "bytes_per_user", "bytes_per_address",
    "new_groups_per_minute", "idle_seconds",
)  # fmt: skip


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
