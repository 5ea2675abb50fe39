"""Durable groups over a real failover: Sentinel promotes a replica, with or without the newest writes."""

import asyncio
import itertools
import socket
import time

import pytest

from fanout.durable.feed import LOST
from fanout.errors import Unavailable
from fanout.hub import Hub
from fanout.layers import RedisChannelLayer
from tests.fanout.clients import OUTAGE, Client, delivered, publish
from tests.redis_servers import eventually
from tests.sentinels import MASTER_NAME

pytestmark = [pytest.mark.usefixtures("policies"), pytest.mark.fault]

LEFT_SECONDS = 8
"""For all to have left a master that Sentinel has replaced: they ask each second, Sentinel demotes after 10 s."""
BACK_SECONDS = 10
"""For delivery to go on once there is a master; usually under 2 s."""


@pytest.fixture
async def hubs(own_sentinel):
    """Two hubs as of two replicas, whose Redis Sentinel tells them."""
    layers = [RedisChannelLayer(hosts=[own_sentinel.host]) for _ in range(2)]
    yield [Hub(layer) for layer in layers]
    for layer in layers:
        await layer.flush()


def connections(server):
    """The connections of layers to a server: neither the test's own, nor Sentinel's, nor the other server's."""
    clients = [each for each in server.cli.client_list() if each["addr"].startswith("127.0.0.1:")]
    return [each for each in clients if not each["name"].startswith("sentinel") and not set(each["flags"]) & {"S", "M"}]


def moved(redis, count):
    """Whether all connections lead to the second server: `count`, and one more of a process that has read a stream."""
    return not connections(redis.first) and len(connections(redis.second)) >= count


async def lose_the_newest(redis, hubs, group, numbers):
    """Publish numbers that the master acknowledges and its replica never gets; let Sentinel promote the replica."""
    await asyncio.to_thread(redis.cut_replication)
    await publish(hubs[1], group, numbers)


async def promote(redis):
    """Kill the master and wait until Sentinel has promoted the replica."""
    redis.first.kill()
    await asyncio.to_thread(redis.promoted, redis.second)


async def test_a_failover_that_loses_acknowledged_writes(own_sentinel, hubs):
    """Positions up to the last survivor recover, later ones are reset; of the living only who was past it is told."""
    live, behind, past, unharmed = Client(), Client(), Client(), Client()
    await live.join(hubs[0], "kept.a")
    await unharmed.join(hubs[0], "kept.b")
    await publish(hubs[1], "kept.a", range(5))
    await publish(hubs[1], "kept.b", range(3))
    await live.until(5)
    await unharmed.until(3)
    await lose_the_newest(own_sentinel, hubs, "kept.a", ["lost", "lost too"])
    await live.until(7)
    behind.frames, past.frames = live.frames[:4], live.frames[:6]

    await promote(own_sentinel)
    began = time.monotonic()
    await live.told_reset()
    await publish(hubs[1], "kept.a", range(5, 9))  # the offsets of the lost ones, and two more
    await publish(hubs[1], "kept.b", [3])
    await live.heard(8)
    await unharmed.heard(3)
    assert time.monotonic() - began < BACK_SECONDS
    assert live.told == [0, 1, 2, 3, 4, "lost", "lost too", "reset", 5, 6, 7, 8]
    assert unharmed.told == [0, 1, 2, 3]

    entry = await behind.join(hubs[1], "kept.a", since=behind.position)
    assert entry.reset is None
    assert behind.numbers == list(range(9))
    entry = await past.join(hubs[1], "kept.a", since=past.position)
    assert (entry.reset, list(entry.recovered)) == (LOST, [])


async def test_a_failover_that_loses_nothing_resets_nobody(own_sentinel, hubs):
    """The replica had everything: the living see nothing of it, and old positions recover under the new epoch."""
    live, away = Client(), Client()
    await live.join(hubs[0], "kept.a")
    await publish(hubs[1], "kept.a", range(5))
    await live.until(5)
    away.frames = live.frames[:2]
    await asyncio.to_thread(eventually, lambda: own_sentinel.second.replicates(own_sentinel.first), "in sync")
    await promote(own_sentinel)
    await publish(hubs[1], "kept.a", range(5, 10))
    await live.until(10)
    assert live.told == list(range(10))
    assert [offset for _, _, offset in live.frames] == list(range(1, 11))
    assert live.frames[4][1] != live.frames[5][1], "the epoch did not change"
    entry = await away.join(hubs[1], "kept.a", since=away.position)
    assert entry.reset is None
    assert away.numbers == list(range(10))


async def test_the_replication_id_changes_with_the_master(own_sentinel):
    """What the epoch hangs on: a promoted server has a new ID and remembers the old one; its replica takes it."""
    first, second = own_sentinel.first, own_sentinel.second
    old = first.cli.info("replication")["master_replid"]
    assert second.cli.info("replication")["master_replid"] == old
    await promote(own_sentinel)
    promoted = second.cli.info("replication")
    assert promoted["master_replid"] != old
    assert promoted["master_replid2"] == old
    await asyncio.to_thread(first.start)
    assert first.cli.info("replication")["master_replid"] not in (old, promoted["master_replid"])
    await asyncio.to_thread(eventually, lambda: first.replicates(second), "the old master follows", OUTAGE)
    assert first.cli.info("replication")["master_replid"] == promoted["master_replid"]


async def test_the_old_master_comes_back_and_takes_over_again(own_sentinel, hubs):
    """An old master that returns empty, follows and is promoted again has everything: nobody is reset by either."""
    live = Client()
    await live.join(hubs[0], "kept.a")
    await publish(hubs[1], "kept.a", range(3))
    await asyncio.to_thread(eventually, lambda: own_sentinel.second.replicates(own_sentinel.first), "in sync")
    await promote(own_sentinel)
    await publish(hubs[1], "kept.a", range(3, 6))
    await asyncio.to_thread(own_sentinel.first.start)
    await publish(hubs[1], "kept.a", range(6, 9))
    await asyncio.to_thread(eventually, lambda: own_sentinel.first.role == "slave", "it is demoted", OUTAGE)
    await asyncio.to_thread(
        eventually, lambda: own_sentinel.first.replicates(own_sentinel.second), "it follows", OUTAGE
    )
    own_sentinel.second.kill()
    await asyncio.to_thread(own_sentinel.promoted, own_sentinel.first)
    await publish(hubs[1], "kept.a", range(9, 12))
    await live.until(12)
    assert live.told == list(range(12))


async def test_a_living_master_is_demoted_under_load(own_sentinel, hubs):
    """Whoever hangs on the demoted master is cut off and finds the new one; a reset only where writes are gone."""
    client, numbers = Client(), itertools.count()
    demoted = asyncio.Event()
    await client.join(hubs[0], "pouring.a")
    pouring = asyncio.create_task(
        publish(hubs[1], "pouring.a", itertools.takewhile(lambda _: not demoted.is_set(), numbers))
    )
    await client.until(100)
    await asyncio.to_thread(own_sentinel.fail_over)
    await asyncio.to_thread(own_sentinel.promoted, own_sentinel.second)
    await asyncio.to_thread(eventually, lambda: own_sentinel.first.role == "slave", "it is demoted", OUTAGE)
    demoted.set()
    await pouring
    await asyncio.to_thread(eventually, lambda: not connections(own_sentinel.first), "all have left")
    await delivered(hubs[1], "pouring.a", client)
    # Two of one hub, and one of the other, which only publishes.
    await asyncio.to_thread(eventually, lambda: moved(own_sentinel, 3), "all have moved")
    await client.assert_honest(hubs[1], "pouring.a")


async def test_a_replaced_master_is_left_before_it_is_demoted(own_sentinel, hubs):
    """Sentinel names another master while the old one lives on for 10 s: it is not written to for that long."""
    own_sentinel.sentinel.cli.execute_command("SENTINEL", "DEBUG", "info-period", 10_000)
    client, over = Client(), asyncio.Event()
    await client.join(hubs[0], "pouring.a")
    await Client().join(hubs[1], "pouring.a")
    numbers = itertools.takewhile(lambda _: not over.is_set(), itertools.count())
    pouring = asyncio.create_task(publish(hubs[1], "pouring.a", numbers))
    await client.until(100)
    await asyncio.to_thread(own_sentinel.fail_over)
    await asyncio.to_thread(own_sentinel.promoted, own_sentinel.second)
    await asyncio.to_thread(eventually, lambda: moved(own_sentinel, 4), "all have moved", LEFT_SECONDS)
    over.set()
    await pouring
    await delivered(hubs[1], "pouring.a", client)
    await client.assert_honest(hubs[1], "pouring.a")


async def test_a_master_that_stands_still_and_wakes_up_demoted(own_sentinel, hubs):
    """SIGSTOP of the master: Sentinel promotes; when it wakes it takes itself for the master, and misleads nobody."""
    client = Client()
    await client.join(hubs[0], "kept.a")
    await publish(hubs[1], "kept.a", range(5))
    await client.until(5)
    await asyncio.to_thread(eventually, lambda: own_sentinel.second.replicates(own_sentinel.first), "in sync")
    own_sentinel.first.pause()
    publishing = asyncio.create_task(publish(hubs[1], "kept.a", range(5, 10)))
    try:
        await asyncio.to_thread(own_sentinel.promoted, own_sentinel.second)
    finally:
        own_sentinel.first.resume()
    await publishing
    # Whoever connected to it while it stood still may have been acknowledged by it when it woke up.
    await asyncio.to_thread(eventually, lambda: own_sentinel.first.role == "slave", "it is demoted", OUTAGE)
    await asyncio.to_thread(eventually, lambda: not connections(own_sentinel.first), "all have left")
    await delivered(hubs[1], "kept.a", client)
    await client.assert_honest(hubs[1], "kept.a")


async def test_a_master_without_its_replica_may_refuse(own_sentinel, hubs):
    """With `min-replicas-to-write 1` it acknowledges nothing that a failover would lose: publishers are told so."""
    own_sentinel.first.cli.config_set("min-replicas-to-write", 1)
    await publish(hubs[0], "kept.a", [1])
    own_sentinel.second.kill()
    await asyncio.to_thread(
        eventually, lambda: not own_sentinel.first.cli.info("replication")["connected_slaves"], "gone"
    )
    for ask in (hubs[0].publish("kept.a", 2), hubs[0]._layer.send("thumbnails", {"type": "make"})):
        with pytest.raises(Unavailable, match="Redis refused to") as told:
            await ask
        assert "NOREPLICAS" in str(told.value.__cause__)
    await asyncio.to_thread(own_sentinel.second.start)
    own_sentinel.second.cli.replicaof("127.0.0.1", own_sentinel.first.port)
    position = await publish(hubs[0], "kept.a", [2])
    assert position.offset == 2


async def test_dead_sentinels_cost_no_publication(own_sentinel):
    """One Sentinel refuses, one never answers: the third is asked in time, for publishing and for subscribing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sentinels = [["127.0.0.1", 1], list(silent.getsockname()), *own_sentinel.host["sentinels"]]
        layer = RedisChannelLayer(hosts=[{"sentinels": sentinels, "master_name": MASTER_NAME}])
        try:
            async with asyncio.timeout(5):
                await layer.publish("kept.a", b"1")  # raises Unavailable past its 2 s
            client, hub = Client(), Hub(layer)
            await client.join(hub, "kept.a")
            await publish(hub, "kept.a", [1])
            await client.until(1)
        finally:
            await layer.flush()


async def test_what_is_no_master_any_more_is_left(own_redis, redis_server, layer_prefix):
    """A server that was made a replica by hand answers READONLY: an error that says so, and a new connection."""
    layer = RedisChannelLayer(hosts=[own_redis.url], prefix=layer_prefix)
    hub, client = Hub(layer), Client()
    await client.join(hub, "kept.a")
    await publish(hub, "kept.a", [1])
    await client.until(1)
    before = own_redis.cli.info("stats")["total_connections_received"]
    own_redis.cli.replicaof("127.0.0.1", 1)
    for ask in (hub.publish("kept.a", 2), layer.top("kept.a"), layer.read("kept.a", client.position, 2)):
        with pytest.raises(Unavailable, match="Redis refused to") as told:
            await ask
        assert "read only replica" in str(told.value.__cause__)
    own_redis.cli.replicaof("NO", "ONE")
    await publish(hub, "kept.a", [2])
    await client.until(2)
    assert client.numbers == [1, 2]
    # Of the publisher's two errors each was followed by a new connection.
    assert own_redis.cli.info("stats")["total_connections_received"] - before >= 2
    await layer.flush()
