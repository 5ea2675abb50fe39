"""Coalescing and slices: how publications leave for the sockets of a group."""

import asyncio

import pytest

from fanout import audience
from fanout.delivery import Delivery
from fanout.history import History
from fanout.policy import Policy
from fanout.positions import Position
from fanout.publication import Publication


class Slow(Policy):
    """Coalesces over a time in which much can happen."""

    flush_interval = 0.05


class Durable(Slow):
    """Keeps what it coalesces."""

    history = History()


class Eager(Policy):
    """Never coalesces."""

    flush_interval = 0


class Writes:
    """A broadcaster that keeps every write of a socket as a list of payloads."""

    def broadcast(self, sockets, payloads, limit):
        for socket in sockets:
            socket.writes.append(list(payloads))

    def offer(self, sockets, payloads):
        """Everybody reads."""
        self.broadcast(sockets, payloads, 0)
        return []


class Socket:
    broadcaster = Writes()

    def __init__(self):
        self.writes = []

    @property
    def got(self):
        return [payload for write in self.writes for payload in write]


class Raw:
    def publication(self, publication):
        return publication.data

    def reset(self, group, position, reason):
        return reason.encode()


RAW = Raw()


def message(number, key=None):
    return Publication("a.b", b"%d" % number, 0.0, value_key=key)


def numbers(count, first=0):
    return [b"%d" % number for number in range(first, count)]


@pytest.fixture
def made():
    """Make a delivery with sockets."""

    def made(policy, count):
        way = Delivery("a.b", policy)
        sockets = [Socket() for _ in range(count)]
        for socket in sockets:
            way.add(socket, RAW)
        return way, sockets

    return made


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the end of a timer has no event
            await asyncio.sleep(0)


async def test_a_publication_after_a_pause_leaves_at_once(made):
    """Nothing left within the interval: no client waits."""
    way, (socket,) = made(Slow(), 1)
    way.deliver(message(0))
    assert socket.writes == [[b"0"]]


async def test_what_comes_within_the_interval_leaves_as_one_write(made):
    """The first leaves at once, the next ones together at the interval's end, in order."""
    way, (socket,) = made(Slow(), 1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(10):
        way.deliver(message(number))
    assert socket.writes == [[b"0"]]
    await until(lambda: len(socket.writes) > 1)
    assert socket.writes == [[b"0"], numbers(10, first=1)]
    assert loop.time() - began >= Slow.flush_interval - 0.001


async def test_a_newer_value_takes_the_place_of_one_that_has_not_left(made):
    """Within the interval only the latest publication of a key is kept; what has no key stays, all in order."""
    way, (socket,) = made(Slow(), 1)
    for number, key in enumerate([None, "x", "y", None, "x", None]):
        way.deliver(message(number, key))
    way.flush()
    assert socket.writes == [[b"0"], [b"2", b"3", b"4", b"5"]]


async def test_a_durable_group_supersedes_nothing(made):
    """Every publication of a durable group leaves, whatever key it might carry."""
    way, (socket,) = made(Durable(), 1)
    for number in range(3):
        way.deliver(message(number, "x"))
    way.flush()
    assert socket.got == numbers(3)


class Narrow(Slow):
    """Durable, with an outbox that a burst would fill at once."""

    history = History()
    flush_interval = 0
    outbox_limit = 400


async def test_a_burst_leaves_in_portions(made):
    """However much comes at once, no write is more than a part of an outbox; all of it comes, in order."""
    way, (socket,) = made(Narrow(), 1)
    sent = [b"%04d" % number * 10 for number in range(50)]
    for data in sent:
        way.deliver(Publication("a.b", data, 0.0))
    await until(lambda: len(socket.got) == 50)
    assert socket.got == sent
    assert max(sum(map(len, write)) for write in socket.writes) <= Narrow.outbox_limit // 4 + 40


async def test_an_interval_of_zero_turns_coalescing_off(made):
    """Every publication is a write of its own, at once."""
    way, (socket,) = made(Eager(), 1)
    for number in range(5):
        way.deliver(message(number))
    assert socket.writes == [[payload] for payload in numbers(5)]


async def test_a_newcomer_does_not_get_what_was_held_back(made):
    """Held publications were delivered before the newcomer's position: the others get them, it does not."""
    way, (old,) = made(Slow(), 1)
    way.deliver(message(0))
    way.deliver(message(1))
    newcomer = Socket()
    way.add(newcomer, RAW)
    way.deliver(message(2))
    way.flush()
    assert (old.got, newcomer.got) == (numbers(3), [b"2"])


async def test_a_reset_comes_behind_what_was_delivered_before(made):
    """Nothing that was held back arrives behind the reset that followed it."""
    way, (socket,) = made(Slow(), 1)
    way.deliver(message(0))
    way.deliver(message(1))
    way.reset(Position("e", 1), "trimmed")
    assert socket.got == [b"0", b"1", b"trimmed"]


async def test_many_sockets_are_written_to_in_slices(made, monkeypatch):
    """Between two slices everything else on the loop has its turn; in the end all have all, in order."""
    monkeypatch.setattr(audience, "SLICE", 0)
    monkeypatch.setattr(audience, "CHUNK", 10)
    way, sockets = made(Eager(), 95)
    turns = []
    asyncio.get_running_loop().call_soon(turns.append, "another group's turn")
    way.deliver(message(0))
    way.deliver(message(1))
    assert sum(bool(socket.writes) for socket in sockets) == 10
    await until(lambda: turns)
    assert sum(bool(socket.writes) for socket in sockets) <= 20
    await until(lambda: all(len(socket.got) == 2 for socket in sockets))
    assert {tuple(socket.got) for socket in sockets} == {(b"0", b"1")}


async def test_an_error_at_one_socket_does_not_end_the_delivery(made, caplog):
    """What can't be written is told in the log; the next publication arrives all the same."""
    way, (socket,) = made(Eager(), 1)
    writes, socket.writes = socket.writes, None
    way.deliver(message(0))
    socket.writes = writes
    way.deliver(message(1))
    assert socket.got == [b"1"]
    assert "left out" in caplog.text


async def test_a_leaver_gets_nothing_more_even_if_it_joins_again(made, monkeypatch):
    """A socket that leaves between two slices is left out of them; rejoining does not bring the old ones back."""
    monkeypatch.setattr(audience, "SLICE", 0)
    monkeypatch.setattr(audience, "CHUNK", 10)
    way, sockets = made(Eager(), 30)
    way.deliver(message(0))
    leaver = sockets[-1]
    way.remove(leaver, RAW)
    way.add(leaver, RAW)
    way.deliver(message(1))
    await until(lambda: all(len(socket.got) == 2 for socket in sockets[:-1]) and leaver.got)
    assert leaver.got == [b"1"]
    assert way.sockets == 30
