"""Durable groups while Redis breaks: for each fault nothing is lost, doubled or disordered, or a reset says so.

A reset counts as a loss where the stream still holds everything behind the position.
"""

import asyncio
import itertools

import pytest

from fanout.durable.feed import LOST
from fanout.errors import Unavailable
from fanout.hub import Hub
from fanout.layers import RedisChannelLayer
from tests.busy import within
from tests.fanout.clients import Client, Hopper, delivered, kept, publish
from tests.redis_servers import RedisServer
from tests.redises import started

pytestmark = [pytest.mark.usefixtures("policies"), pytest.mark.fault]

GROUP = "pouring.a"
BEFORE = 150
"""Publications before the fault, and at least as many behind it."""
STILL = 5
"""Seconds that Redis stands still: past every limit of a command and a connection."""
FLOOD = 10_000


# -- faults: each breaks a Redis and returns when it is whole again ------------------------------------------


def restart(redis):
    redis.stop()
    redis.start()


def kill(redis):
    redis.kill()
    redis.start()


def kill_and_truncate(redis):
    """The newest writes are gone: what a machine that loses power leaves behind."""
    redis.kill()
    log = append_only_file(redis)
    log.write_bytes(log.read_bytes()[:-60_000])
    redis.start()


def cut_subscribers(redis):
    for _ in range(3):
        redis.cli.client_kill_filter(_type="pubsub")


def cut_everybody(redis):
    redis.cli.client_kill_filter(_type="pubsub")
    redis.cli.client_kill_filter(_type="normal", skipme=True)


async def stand_still(redis):
    redis.pause()
    try:
        await asyncio.sleep(STILL)
    finally:
        redis.resume()


def append_only_file(redis):
    """Where the newest writes are."""
    (path,) = (redis.folder / "appendonlydir").glob("*.incr.aof")
    return path


KEEPS = {
    "always": ("--appendonly", "yes", "--appendfsync", "always"),
    "everysec": ("--appendonly", "yes", "--appendfsync", "everysec"),
    "nothing": (),
}
FAULTS = [
    ("always", restart, False), ("always", kill, False), ("everysec", restart, False), ("everysec", kill, None),
    ("everysec", kill_and_truncate, True), ("nothing", restart, True), ("nothing", cut_subscribers, False),
    ("nothing", cut_everybody, False), ("nothing", stand_still, False),
]  # fmt: skip
"""What Redis keeps on disk, what happens to it, and whether acknowledged writes are lost by that.

None: with `everysec` Redis acknowledges before it has written, while a flush to the disk is under way.
"""


@pytest.mark.parametrize(
    ("keeps", "fault", "loses"), FAULTS, ids=[f"{fault.__name__}-{keeps}" for keeps, fault, _ in FAULTS]
)
async def test_a_fault_under_load(keeps, fault, loses):
    """Publications pour in while Redis breaks; one client stays, one hops between replicas: both are told the truth."""
    with started(RedisServer, *KEEPS[keeps]) as redis:
        layers = [RedisChannelLayer(hosts=[redis.url]) for _ in range(2)]
        hubs, over = [Hub(layer) for layer in layers], asyncio.Event()
        stays, hops = Client(), Hopper()
        await stays.join(hubs[0], GROUP)
        hopping = asyncio.create_task(hops.hop(hubs, GROUP, over, since=stays.position))
        numbers = itertools.takewhile(lambda _: not over.is_set(), itertools.count())
        pouring = asyncio.create_task(publish(hubs[1], GROUP, numbers))
        await stays.until(BEFORE)
        await (fault(redis) if asyncio.iscoroutinefunction(fault) else asyncio.to_thread(fault, redis))
        await publish(hubs[0], GROUP, (f"after {number}" for number in range(BEFORE)))
        over.set()
        await asyncio.gather(pouring, hopping)
        for client in (stays, hops):
            await delivered(hubs[1], GROUP, client)
            await client.assert_honest(hubs[1], GROUP)
        if loses is not None:
            assert ("reset" in stays.told) == loses
        for layer in layers:
            await layer.flush()


async def top_again(layer):
    """The newest position; what is asked over a connection that is just found dead may be refused."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await layer.top(GROUP)
            except Unavailable:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("cut", [1, 30, 100, 300, 700, 1500])
async def test_a_truncated_log_cuts_whole_publications(cut):
    """A publication is in the log as a whole: whatever is cut off, epoch, offset, stream and key agree."""
    with started(RedisServer, *KEEPS["always"]) as redis:
        layer = RedisChannelLayer(hosts=[redis.url])
        hub = Hub(layer)
        for number in range(10):
            await hub.publish(GROUP, number, key=f"k{number}")
        redis.kill()
        log = append_only_file(redis)
        log.write_bytes(log.read_bytes()[:-cut])
        await asyncio.to_thread(redis.start)
        left = int(redis.cli.hget(f"asgi__meta__{{{GROUP}}}", "offset"))
        assert 0 < left < 10
        entries = redis.cli.xrange(f"asgi__stream__{{{GROUP}}}")
        assert [name for name, _ in entries] == [b"%d-0" % (number + 1) for number in range(left)]
        assert len(redis.cli.keys("asgi__key__*")) == left
        assert (await top_again(layer)).position.offset == left
        # What was lost may be published again with its key; what was not is known.
        assert (await hub.publish(GROUP, left - 1, key=f"k{left - 1}")).offset == left
        assert (await hub.publish(GROUP, left, key=f"k{left}")).offset == left + 1
        await layer.flush()


async def test_ten_thousand_publications_during_a_resume(replicas):
    """Who comes back while 10,000 pour in gets all of them, once, in order; so does who comes back again and again."""
    start = await publish(replicas[1], GROUP, range(500))
    sleeper, hopper, over = Client(), Hopper(), asyncio.Event()
    await sleeper.join(replicas[0], GROUP)
    replicas[0].leave(sleeper.entry.subscription)
    hopping = asyncio.create_task(hopper.hop(replicas, GROUP, over, since=start))

    async def pour():
        for first in range(500, 500 + FLOOD, 100):
            # As one who insists: beside others Redis may be late.
            await asyncio.gather(*(publish(replicas[1], GROUP, [number]) for number in range(first, first + 100)))

    pouring = asyncio.create_task(pour())
    await hopper.until(FLOOD // 10)  # in the midst of it
    await sleeper.join(replicas[0], GROUP, since=start)
    assert sleeper.entry.reset is None
    await pouring
    over.set()
    await hopping
    await sleeper.until(FLOOD)
    await hopper.until(FLOOD)
    assert sleeper.told == list(range(500, 500 + FLOOD))
    assert hopper.told == list(range(500, 500 + FLOOD))


async def test_a_key_is_one_publication_while_connections_are_cut(replicas, own_redis):
    """The same key, sent to two replicas at once and again after each error, is published once, with one position."""
    client, over = Client(), asyncio.Event()
    await client.join(replicas[0], GROUP)

    async def cut():
        while not over.is_set():
            await asyncio.to_thread(cut_everybody, own_redis)
            await asyncio.sleep(0.02)

    async def insist(hub, number):
        while True:
            try:
                return await hub.publish(GROUP, number, key=f"k{number}")
            except Unavailable:
                await asyncio.sleep(0.01)

    cutting = asyncio.create_task(cut())
    async with asyncio.timeout(60):
        for number in range(BEFORE):
            positions = await asyncio.gather(*(insist(hub, number) for hub in replicas))
            assert positions[0] == positions[1]
    over.set()
    await cutting
    await client.until(BEFORE)
    assert client.told == list(range(BEFORE)) == await kept(replicas[1], GROUP)


async def test_a_killed_reader_loses_nothing(replicas, own_redis):
    """Redis cuts the subscribed connections again and again while publications pour in; clients see none of it."""
    client = Client()
    await client.join(replicas[0], "pouring.a")
    pouring = asyncio.create_task(publish(replicas[1], "pouring.a", range(600)))
    for threshold in (100, 200, 300):
        await client.until(threshold)
        own_redis.cli.client_kill_filter(_type="pubsub")
    await pouring
    await client.until(600)
    assert client.numbers == list(range(600))


async def test_a_clean_restart_resets_nobody(replicas, own_redis):
    """Redis comes back with all it had: live clients and those who come back go on; the epoch is new."""
    live, away = Client(), Client()
    await live.join(replicas[0], "kept.a")
    await publish(replicas[1], "kept.a", range(5))
    await live.until(5)
    away.frames = live.frames[:3]
    own_redis.cli.save()
    await asyncio.to_thread(own_redis.restart)
    await publish(replicas[1], "kept.a", range(5, 10))
    await live.until(10)
    assert live.numbers == list(range(10))
    assert live.frames[0][1] != live.frames[-1][1]
    entry = await away.join(replicas[1], "kept.a", since=away.position)
    assert entry.reset is None
    assert away.numbers == list(range(10))


async def test_lost_writes_reset_those_who_had_seen_them_and_nobody_else(replicas, own_redis):
    """Redis restarts without its last acknowledged writes: reused offsets are never taken for recovered."""
    live, behind, past = Client(), Client(), Client()
    await live.join(replicas[0], "kept.a")
    await publish(replicas[1], "kept.a", range(5))
    own_redis.cli.save()
    await publish(replicas[1], "kept.a", ["lost", "lost too"])
    await live.until(7)
    behind.frames, past.frames = live.frames[:4], live.frames[:6]
    await asyncio.to_thread(own_redis.restart)
    await live.told_reset()
    await publish(replicas[1], "kept.a", range(5, 9))
    await live.until(11)
    assert live.numbers == [0, 1, 2, 3, 4, "lost", "lost too", 5, 6, 7, 8]
    entry = await behind.join(replicas[1], "kept.a", since=behind.position)
    assert entry.reset is None
    assert behind.numbers == list(range(9))
    entry = await past.join(replicas[1], "kept.a", since=past.position)
    assert (entry.reset, list(entry.recovered)) == (LOST, [])


async def test_an_emptied_redis_begins_anew(replicas, own_redis):
    """A Redis that lost everything gives a new epoch: every older position is reset."""
    client = Client()
    await client.join(replicas[0], "kept.a")
    since = await publish(replicas[1], "kept.a", range(3))
    await client.until(3)
    await asyncio.to_thread(own_redis.restart)
    await client.told_reset()
    await publish(replicas[1], "kept.a", ["new"])
    await client.until(4)
    entry = await Client().join(replicas[1], "kept.a", since=since)
    assert entry.reset == LOST


async def test_a_paused_redis_loses_nothing(replicas, own_redis):
    """Redis stands still: publishing fails within 2.5 s, and all goes on by itself when it is back."""
    client = Client()
    await client.join(replicas[0], "kept.a")
    await publish(replicas[1], "kept.a", range(3))
    own_redis.pause()
    try:
        async with within(2.5):
            with pytest.raises(Unavailable, match="again"):
                await replicas[1].publish("kept.a", "unknown", key="k")
    finally:
        own_redis.resume()
    await publish(replicas[1], "kept.a", [3, 4])
    await client.heard(4)
    assert [number for number in client.numbers if number != "unknown"] == [0, 1, 2, 3, 4]
