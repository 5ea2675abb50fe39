"""Durable groups: every publication once and in order, resume on any replica, or a reset that is told."""

import asyncio

import pytest

from fanout.durable.feed import LOST, TRIMMED
from fanout.errors import KeyConflict
from fanout.history import History
from fanout.hub import Hub
from fanout.layers import InMemoryChannelLayer, RedisChannelLayer
from fanout.positions import Position
from tests.fanout.clients import KEPT, Client, Kept, publish
from tests.redises import TOPOLOGIES

pytestmark = pytest.mark.usefixtures("policies")


@pytest.fixture(params=["memory", *TOPOLOGIES])
async def hubs(request):
    """Two hubs as of two replicas, on every topology; within one process they share the in-memory layer."""
    if request.param == "memory":
        layers = [InMemoryChannelLayer()] * 2
    else:
        hosts = [request.getfixturevalue(name).host for name in TOPOLOGIES[request.param]]
        prefix = request.getfixturevalue("layer_prefix")
        layers = [RedisChannelLayer(hosts=hosts, prefix=prefix) for _ in range(2)]
    yield [Hub(layer) for layer in layers]
    for layer in layers:
        await layer.flush()


async def test_a_publish_returns_the_position_that_its_frame_carries(hubs):
    """Offsets are 1, 2, 3 without holes, and the same for publisher and subscriber."""
    client = Client()
    await client.join(hubs[1], "kept.a")
    positions = [await hubs[0].publish("kept.a", number) for number in (1, 2, 3)]
    await client.until(3)
    assert [position.offset for position in positions] == [1, 2, 3]
    assert client.frames == [(n, p.epoch, p.offset) for n, p in zip((1, 2, 3), positions, strict=True)]


async def test_a_client_resumes_behind_its_position_on_another_replica(hubs):
    """What was published while the client was away comes first, then what is published now; nothing twice."""
    client = Client()
    entry = await client.join(hubs[0], "kept.a")
    await publish(hubs[0], "kept.a", range(5))
    await client.until(5)
    hubs[0].leave(entry.subscription)
    await publish(hubs[0], "kept.a", range(5, 20))
    entry = await client.join(hubs[1], "kept.a", since=client.position)
    assert (entry.reset, len(entry.recovered)) == (None, 15)
    await publish(hubs[0], "kept.a", range(20, 25))
    await client.until(25)
    assert client.numbers == list(range(25))


async def test_a_client_that_missed_nothing_recovers_nothing(hubs):
    """At the newest position there is nothing to recover and nothing to reset."""
    position = await publish(hubs[0], "kept.a", range(3))
    entry = await Client().join(hubs[1], "kept.a", since=position)
    assert (entry.position, list(entry.recovered), entry.reset) == (position, [], None)


async def test_a_trimmed_history_is_a_reset_never_a_part(hubs):
    """One publication more than is kept: the client is told `trimmed`; exactly what is kept: it recovers all."""
    start = await publish(hubs[0], "kept.a", [0])
    await publish(hubs[0], "kept.a", range(1, KEPT + 1))
    entry = await Client().join(hubs[1], "kept.a", since=start)
    assert (entry.reset, len(entry.recovered)) == (None, KEPT)
    hubs[1].leave(entry.subscription)
    await publish(hubs[0], "kept.a", [KEPT + 1])
    entry = await Client().join(Hub(hubs[1]._layer), "kept.a", since=start)
    assert (entry.reset, list(entry.recovered)) == (TRIMMED, [])


async def test_a_history_trimmed_by_bytes_is_a_reset_never_a_part(hubs, monkeypatch):
    """As by size: who is behind what is kept is told `trimmed`, who is not recovers all."""
    monkeypatch.setattr(Kept, "history", History(size=KEPT, age=3600, bytes=5300))
    start = await publish(hubs[0], "kept.a", ["x" * 998])
    behind = await publish(hubs[0], "kept.a", ["x" * 998])
    await publish(hubs[0], "kept.a", ["x" * 998] * 5)
    for since, told in ((start, (TRIMMED, 0)), (behind, (None, 5))):
        entry = await Client().join(Hub(hubs[1]._layer), "kept.a", since=since)
        assert (entry.reset, len(entry.recovered)) == told


async def test_a_foreign_position_is_a_reset(hubs):
    """A position from the future or from another epoch stands for nothing in this stream."""
    top = await publish(hubs[0], "kept.a", range(3))
    for since in (Position(top.epoch, 4), Position("elsewhere", 1), Position("elsewhere", 3)):
        entry = await Client().join(hubs[1], "kept.a", since=since)
        assert (entry.reset, list(entry.recovered), entry.position) == (LOST, [], top)


async def test_the_beginning_is_in_every_stream(hubs):
    """Offset 0 is past nothing that a failure could have lost: all there is comes, whatever the epoch."""
    await publish(hubs[0], "kept.a", range(3))
    client = Client()
    entry = await client.join(hubs[1], "kept.a", since=Position("elsewhere", 0))
    assert (entry.reset, client.numbers) == (None, [0, 1, 2])


async def test_a_client_may_begin_with_the_last_few(hubs):
    """`last` gives the newest publications, fewer where there are fewer."""
    await publish(hubs[0], "kept.a", range(10))
    client, greedy = Client(), Client()
    await client.join(hubs[1], "kept.a", last=3)
    await greedy.join(hubs[1], "kept.a", last=100)
    assert (client.numbers, greedy.numbers) == ([7, 8, 9], list(range(10)))


async def test_resuming_while_publications_pour_in_loses_and_doubles_nothing(hubs):
    """A client that leaves and comes back again and again, on either replica, sees each publication once, in order."""
    client, since, turns, poured = Client(), None, 30, 0

    async def pour():
        nonlocal poured
        while turns:
            await publish(hubs[0], "pouring.a", [poured])
            poured += 1
            await asyncio.sleep(0)  # the in-memory layer alone would never let the client come

    pouring = asyncio.create_task(pour())
    for turn in range(turns):
        hub = hubs[turn % 2]
        entry = await client.join(hub, "pouring.a", since=since, last=0 if since else 1000)
        assert entry.reset is None
        await client.until(len(client.numbers) + 30)
        hub.leave(entry.subscription)
        since = client.position
    turns = 0
    await pouring
    await client.join(hubs[0], "pouring.a", since=since)
    await client.until(poured)
    assert client.numbers == list(range(poured))


async def test_a_key_makes_one_publication_wherever_it_is_sent(hubs):
    """The same key and data, sent to two replicas at once, is one publication; both get its position."""
    client = Client()
    await client.join(hubs[0], "kept.a")
    positions = await asyncio.gather(*(hub.publish("kept.a", "once", key="k") for hub in hubs))
    assert positions[0] == positions[1]
    await hubs[0].publish("kept.a", "end")
    await client.until(2)
    assert client.numbers == ["once", "end"]


async def test_a_key_with_other_data_is_a_conflict(hubs):
    """A key that was used for something else is refused, and nothing is published."""
    first = await hubs[0].publish("kept.a", "one", key="k")
    with pytest.raises(KeyConflict, match="new one"):
        await hubs[1].publish("kept.a", "two", key="k")
    assert (await hubs[1].publish("kept.a", "three")).offset == first.offset + 1
