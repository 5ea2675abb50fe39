"""An ephemeral group and sockets that read slowly: the latest value survives, nothing is queued."""

import asyncio

import pytest

from fanout import close_codes, laggards
from fanout.audience import Audience

LIMIT = 1000


class Broadcaster:
    """Writes to sockets that read; the others have something queued."""

    def broadcast(self, sockets, payloads, limit):
        raise AssertionError("an ephemeral group queues nothing")

    def offer(self, sockets, payloads):
        for socket in sockets:
            if socket.reads:
                socket.got += payloads
        return [socket for socket in sockets if not socket.reads]


class Socket:
    broadcaster = Broadcaster()

    def __init__(self):
        self.reads = True
        self.got = []
        self.code = None

    @property
    def queued_bytes(self):
        return 0 if self.reads else 1

    def close(self, code, reason):
        self.code = code


class Raw:
    """An encoder for bytes that are made already."""


RAW = Raw()


@pytest.fixture
async def audience(monkeypatch):
    """An audience whose laggards are looked at by hand: the timer is far away."""
    monkeypatch.setattr(laggards, "RETRY", 60)
    return Audience(LIMIT)


def joined(audience):
    socket = Socket()
    audience.add(socket, RAW)
    return socket


def send(audience, *values):
    """Send (key, payload) pairs."""
    audience.send(lambda _: [payload for _, payload in values], [key for key, _ in values])


async def test_a_slow_socket_gets_the_latest_of_each_key_when_it_reads(audience):
    """What it missed is superseded: of each value it gets the newest, with the next publication; others got all."""
    slow, quick = joined(audience), joined(audience)
    slow.reads = False
    for number in range(10):
        send(audience, ("x", b"x%d" % number), ("y", b"y%d" % number))
    send(audience, ("x", b"x10"))
    slow.reads = True
    send(audience, ("z", b"z"))
    assert slow.got == [b"y9", b"x10", b"z"]
    assert len(quick.got) == 22
    send(audience, ("x", b"x11"))
    assert slow.got == [b"y9", b"x10", b"z", b"x11"], "nothing comes twice"


async def test_without_keys_the_newest_survives(audience):
    """Payloads without a key supersede each other."""
    slow = joined(audience)
    slow.reads = False
    for number in range(5):
        send(audience, (None, b"%d" % number))
    slow.reads = True
    send(audience, (None, b"5"))
    assert slow.got == [b"5"]


async def test_the_last_value_of_a_burst_arrives_by_itself(monkeypatch):
    """No further publication is needed: the socket is looked at until it has read."""
    monkeypatch.setattr(laggards, "RETRY", 0.01)
    audience = Audience(LIMIT)
    slow = joined(audience)
    slow.reads = False
    send(audience, ("x", b"1"))
    send(audience, ("x", b"2"))
    asyncio.get_running_loop().call_later(0.05, setattr, slow, "reads", True)
    async with asyncio.timeout(5):
        while not slow.got:  # noqa: ASYNC110 - a timer has no event
            await asyncio.sleep(0.005)
    assert slow.got == [b"2"]


async def test_too_many_values_close_the_socket(audience):
    """What superseding can't bound, the outbox limit does: 4008."""
    slow = joined(audience)
    slow.reads = False
    for number in range(11):
        send(audience, (f"key {number}", b"x" * 100))
    assert slow.code == close_codes.TOO_SLOW


async def test_values_of_many_groups_are_bounded_together(monkeypatch):
    """One socket in many groups is held no more for than one in a single one; nothing is left behind by it."""
    monkeypatch.setattr(laggards, "RETRY", 60)
    audiences, slow = [Audience(LIMIT) for _ in range(20)], Socket()
    slow.reads = False
    for audience in audiences:
        audience.add(slow, RAW)
    for audience in audiences[:10]:
        send(audience, ("x", b"x" * 100), ("x", b"y" * 100))
    assert slow.code is None
    assert laggards._held[slow] == LIMIT
    send(audiences[10], ("x", b"x"))
    assert slow.code == close_codes.TOO_SLOW
    for audience in audiences:
        audience.remove(slow, RAW)
    assert slow not in laggards._held


async def test_a_leaver_gets_nothing_of_what_it_missed(audience):
    """Who leaves is forgotten, also when it comes back."""
    slow = joined(audience)
    slow.reads = False
    send(audience, ("x", b"1"))
    audience.remove(slow, RAW)
    audience.add(slow, RAW)
    slow.reads = True
    send(audience, ("y", b"2"))
    assert slow.got == [b"2"]
