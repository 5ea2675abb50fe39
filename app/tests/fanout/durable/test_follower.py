"""A socket that is behind its durable group gets the stream in portions, as fast as it reads."""

import asyncio

import pytest

from fanout import close_codes, policy
from fanout.delivery import PORTIONS
from fanout.durable import follower, tail
from fanout.durable.feed import TRIMMED
from fanout.history import History
from fanout.hub import Hub
from fanout.layers import InMemoryChannelLayer, RedisChannelLayer
from fanout.policy import Policy
from fanout.positions import Position
from tests.fanout.clients import ENCODER, LIMIT, Client

KEPT = 200
SIZE = 100
START = Position("any", 0)
GROUP = "narrow.a"


class Narrow(Policy):
    """Twenty publications fill an outbox, five are a portion."""

    kind = "narrow"
    history = History(size=KEPT, age=3600)
    flush_interval = 0
    outbox_limit = 20 * SIZE


class Bursting(Narrow):
    """Holds back what comes within an interval in which much can happen."""

    kind = "bursting"
    flush_interval = 0.05


class Seen(Narrow):
    """Tells who is there."""

    kind = "seen"
    presence = True


class Broadcaster:
    """Queues, as a real one does."""

    def broadcast(self, sockets, payloads, limit):
        for socket in sockets:
            socket.take(payloads, limit)


class Reader(Client):
    """A client whose frames wait in the process until it `reads`."""

    broadcaster = Broadcaster()

    def __init__(self):
        super().__init__()
        self.queue, self.most, self.code = [], 0, None

    @property
    def queued_bytes(self):
        return SIZE * len(self.queue)

    def take(self, payloads, limit):
        assert self.code is None or not payloads, "closed already"
        assert self.queued_bytes + SIZE * len(payloads) <= limit, "more than an outbox"
        self.queue += payloads
        self.most = max(self.most, self.queued_bytes)

    def close(self, code, reason):
        self.code = code

    def read(self, count=1):
        self.frames += self.queue[:count]
        del self.queue[:count]

    async def read_until(self, wanted, count=1):
        """Read `count` frames a time until one has the data `wanted`."""
        async with asyncio.timeout(LIMIT):
            while wanted not in self.told:
                self.read(count)
                await asyncio.sleep(0)


class Watcher(Client):
    """A client that is told who comes and goes."""

    async def join(self, hub, group, **options):
        return await hub.join(group, self, self, **options)

    def presence(self, group, change):
        return change

    async def told_of(self, what, member):
        async with asyncio.timeout(LIMIT):
            while not any(member in getattr(change, what) for change in self.frames):
                self.arrived.clear()
                await self.arrived.wait()


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    for kind in (Narrow, Bursting, Seen):
        monkeypatch.setitem(policy._policies, kind.kind, kind())
    monkeypatch.setattr(follower, "LOOK_EVERY", (0, 0.01))


@pytest.fixture(params=["memory", "redis"])
async def hub(request):
    if request.param == "memory":
        layer = InMemoryChannelLayer()
    else:
        server, prefix = (request.getfixturevalue(name) for name in ("redis_server", "layer_prefix"))
        layer = RedisChannelLayer(hosts=[server.url], prefix=prefix)
    hub = Hub(layer)
    yield hub
    await hub.aclose()
    await layer.flush()


def filled(number):
    """Data of SIZE bytes."""
    return f"{number:0{SIZE - 2}}"


async def publish(hub, numbers, group=GROUP):
    for number in numbers:
        await hub.publish(group, filled(number))


async def test_a_slow_reader_gets_everything_in_order(hub):
    """A long history comes after `joined`, in order, the live ones behind it; never more than an outbox waits."""
    await publish(hub, range(100))
    reader = Reader()
    entry = await reader.join(hub, GROUP, since=START)
    assert (entry.position.offset, entry.following, reader.frames, reader.queue) == (100, 100, [], [])
    pouring = asyncio.create_task(publish(hub, range(100, 150)))
    await reader.read_until(filled(149))
    await pouring
    assert reader.told == [filled(number) for number in range(150)]
    assert reader.most <= Narrow.outbox_limit
    await publish(hub, [150])
    await reader.read_until(filled(150))
    assert hub.groups == {GROUP: 1}


async def test_the_last_few_come_in_portions_too(hub):
    """`last` of more than a portion: as many as were asked for, in order."""
    await publish(hub, range(100))
    reader = Reader()
    entry = await reader.join(hub, GROUP, last=60)
    assert entry.following == 60
    await reader.read_until(filled(99))
    assert reader.told == [filled(number) for number in range(40, 100)]


async def test_the_last_few_in_portions_are_no_more_than_that(hub, monkeypatch):
    """Although more than a portion arrives while the first one is read."""
    await publish(hub, range(100))
    other, live, reader = Hub(hub._layer), Reader(), Reader()
    await live.join(other, GROUP)
    read, more = hub._layer.read, iter(range(100, 110))

    async def read_slowly(*arguments):
        found = await read(*arguments)
        await publish(hub, more)
        async with asyncio.timeout(LIMIT):
            while len(live.queue) < 10:  # noqa: ASYNC110 - a socket does not tell
                await asyncio.sleep(0.01)
        return found

    monkeypatch.setattr(hub._layer, "read", read_slowly)
    entry = await reader.join(other, GROUP, last=60)
    assert (entry.following, entry.position.offset) == (60, 110)
    await reader.read_until(filled(109))
    assert reader.told == [filled(number) for number in range(50, 110)]


async def test_a_socket_that_has_something_queued_gets_a_short_history_behind_it(hub):
    """What would fit one write waits for what was written before: nothing is too much because of its neighbour."""
    await publish(hub, range(3))
    reader = Reader()
    reader.queue = [("before", "e", 0)] * 19
    entry = await reader.join(hub, GROUP, since=START)
    assert (entry.recovered, entry.following) == ((), 3)
    await reader.read_until(filled(2))
    assert reader.told[19:] == [filled(number) for number in range(3)]


async def test_who_reads_nothing_is_closed_in_bounded_time(hub, monkeypatch):
    """4008, and no more than an outbox has waited; it can go on behind what it has read."""
    monkeypatch.setattr(follower, "STALL_LIMIT", 0.1)
    await publish(hub, range(100))
    reader = Reader()
    entry = await reader.join(hub, GROUP, since=START)
    async with asyncio.timeout(LIMIT):
        while reader.code is None:  # noqa: ASYNC110 - a socket does not tell
            await asyncio.sleep(0.01)
    assert reader.code == close_codes.TOO_SLOW
    assert reader.most <= Narrow.outbox_limit
    reader.read(7)
    hub.leave(entry.subscription)
    again = Reader()
    await again.join(hub, GROUP, since=reader.position)
    await again.read_until(filled(99))
    assert reader.told + again.told == [filled(number) for number in range(100)]


async def test_what_is_trimmed_while_a_reader_is_behind_is_told(hub, monkeypatch):
    """It gets what it could be given, one reset, and what is published from then on: nothing of it silently missing."""
    monkeypatch.setattr(tail, "LIMIT", 20 * SIZE)
    await publish(hub, range(100))
    reader = Reader()
    await reader.join(hub, GROUP, since=START)
    async with asyncio.timeout(LIMIT):
        while not reader.queue:  # noqa: ASYNC110 - a socket does not tell
            await asyncio.sleep(0)
    await publish(hub, range(100, 100 + 2 * KEPT))
    await reader.read_until("reset")
    at = reader.told.index("reset")
    assert reader.reason == TRIMMED
    assert reader.told[:at] == [filled(number) for number in range(at)]
    assert reader.frames[at][2] == 100 + 2 * KEPT
    await publish(hub, ["after"])
    await reader.read_until(filled("after"))
    assert reader.told[at + 1 :] == [filled("after")]


async def test_a_leaver_gets_nothing_more(hub):
    """Who leaves while it is behind is let alone; the group is left with it."""
    await publish(hub, range(100))
    reader = Reader()
    entry = await reader.join(hub, GROUP, since=START)
    async with asyncio.timeout(LIMIT):
        while not reader.queue:  # noqa: ASYNC110 - a socket does not tell
            await asyncio.sleep(0)
    had = len(reader.queue)
    hub.leave(entry.subscription)
    reader.read(had)
    await publish(hub, range(5))
    await asyncio.sleep(0.05)
    assert reader.queue == []
    assert hub.groups == {}


async def test_who_joins_again_while_it_is_behind_goes_on_from_what_it_asks_for(hub):
    """The second join takes the place of the first: nothing of the first follows, all behind the new position does."""
    await publish(hub, range(100))
    reader = Reader()
    await reader.join(hub, GROUP, since=START)
    async with asyncio.timeout(LIMIT):
        while not reader.queue:  # noqa: ASYNC110 - a socket does not tell
            await asyncio.sleep(0)
    had = len(reader.queue)
    await reader.join(hub, GROUP, since=Position(reader.queue[0][1], 50))
    await publish(hub, [100])
    await reader.read_until(filled(100))
    assert reader.told == [filled(number) for number in (*range(had), *range(50, 101))]
    assert hub.groups == {GROUP: 1}


async def test_who_is_behind_is_a_member_from_its_join_on(hub):
    """Presence does not wait for a slow reader, and has it no more once it has left."""
    group, watcher, reader = "seen.a", Watcher(), Reader()
    await publish(hub, range(100), group)
    await watcher.join(hub, group, watch=True)
    entry = await reader.join(hub, group, since=START, info="Ada")
    await watcher.told_of("join", entry.subscription.member)
    hub.leave(entry.subscription)
    await watcher.told_of("leave", entry.subscription.member)
    assert entry.following == 100
    assert reader.told == []


async def test_many_long_histories_of_one_socket_wait_for_each_other(hub):
    """However many groups a socket joins at once, one outbox bounds what waits for it; all of it comes."""
    groups = [f"narrow.{number}" for number in range(30)]
    for group in groups:
        await publish(hub, range(10), group)
    reader = Reader()
    for group in groups:
        await reader.join(hub, group, since=START)
    async with asyncio.timeout(LIMIT):
        while len(reader.told) < 300:
            reader.read(3)
            await asyncio.sleep(0)
    assert reader.most <= Narrow.outbox_limit
    for number in range(10):
        assert reader.told.count(filled(number)) == 30


async def test_many_that_catch_up_write_one_portion_a_turn(hub):
    """However many groups are behind at once, everything else has its turn of the loop between two portions."""
    loop, turn, written = asyncio.get_running_loop(), 0, []

    class Noting(Reader):
        def take(self, payloads, limit):
            written.append(turn)
            super().take(payloads, limit)

    def count():
        nonlocal turn, counting
        turn, counting = turn + 1, loop.call_soon(count)

    counting = loop.call_soon(count)
    for number in range(10):
        await publish(hub, range(100), f"narrow.{number}")
    readers = [Noting() for _ in range(10)]
    await asyncio.gather(*(reader.join(hub, f"narrow.{each}", since=START) for each, reader in enumerate(readers)))
    async with asyncio.timeout(LIMIT):
        while not all(reader.queue for reader in readers):  # noqa: ASYNC110 - a socket does not tell
            await asyncio.sleep(0)
    counting.cancel()
    assert len(written) == len(set(written))


async def test_a_newcomer_in_a_burst_cuts_off_nobody(hub):
    """While more is held back than leaves at once, a newcomer catches up by itself: the others keep their pace."""
    group, old, new = "bursting.a", Reader(), Reader()
    await old.join(hub, group)
    await asyncio.gather(*(publish(hub, [number], group) for number in range(50)))
    async with asyncio.timeout(LIMIT):
        while not hub._members[group].delivery.crowded:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
    entry = await new.join(hub, group)
    await publish(hub, ["end"], group)
    await asyncio.gather(*(reader.read_until(filled("end"), 2) for reader in (old, new)))
    assert sorted(old.told) == sorted([*map(filled, range(50)), filled("end")])
    assert new.told == [*old.told[entry.position.offset : 50], filled("end")]
    assert old.most <= Bursting.outbox_limit


async def test_a_redis_that_is_away_meanwhile_is_waited_for(own_redis, monkeypatch):
    """Redis stops answering in the midst of a history: the reader gets the rest when it is back, and no reset."""
    monkeypatch.setattr(follower, "RETRY", 0.01)
    layer = RedisChannelLayer(hosts=[own_redis.url])
    hub, reader = Hub(layer), Reader()
    await publish(hub, range(100))
    await reader.join(hub, GROUP, since=START)
    hub._members[GROUP].feed.tail.clear()
    own_redis.pause()
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.read_until(filled(99))
    finally:
        own_redis.resume()
    await reader.read_until(filled(99))
    assert reader.told == [filled(number) for number in range(100)]
    await hub.aclose()
    await layer.flush()


async def test_an_error_that_nobody_foresaw_closes_the_socket(hub, monkeypatch, caplog):
    """Who would wait in vain is closed with 1011, and comes back."""
    await publish(hub, range(100))
    reader = Reader()
    monkeypatch.setattr(type(ENCODER), "publication", lambda self, publication: 1 / 0)
    await reader.join(hub, GROUP, since=START)
    async with asyncio.timeout(LIMIT):
        while reader.code is None:  # noqa: ASYNC110 - a socket does not tell
            await asyncio.sleep(0)
    assert reader.code == close_codes.INTERNAL_ERROR
    assert "could not go on" in caplog.text


def test_a_portion_leaves_room_for_live_ones():
    """Less than half a portion waits when the next one is written: behind it live ones fit."""
    assert 1.5 * (Narrow.outbox_limit // PORTIONS) <= Narrow.outbox_limit / 2
