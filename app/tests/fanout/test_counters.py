"""What a process counts of itself."""

import asyncio
import time

import pytest

from fanout.consumer import FanoutConsumer
from fanout.counters import FAILED, counters
from fanout.hub import get_hub
from fanout.positions import Position
from tests.communicators import WebsocketCommunicator
from tests.replicas import LIMIT

from .test_hub import Log, LogBroadcaster, raw, settled


@pytest.mark.usefixtures("memory_default_layer")
async def test_publications_and_deliveries_are_counted():
    """A publication counts once, its delivery once for each socket of this process that it goes to."""
    hub, broadcaster = get_hub(), LogBroadcaster()
    sockets = [Log(broadcaster) for _ in range(3)]
    for socket in sockets:
        await hub.join("chat.counted", socket, raw)
    before = (counters.publications, counters.deliveries)
    await hub.publish("chat.counted", {"message": "hi"})
    await hub.publish("chat.nobody", {"message": "hi"})
    await settled()
    assert (counters.publications - before[0], counters.deliveries - before[1]) == (2, len(sockets))


class Offering(LogBroadcaster):
    """Whose sockets have always read."""

    def offer(self, sockets, payloads):
        self.broadcast(sockets, payloads, 1 << 20)
        return []


def more(before):
    """What was counted since, by name; histograms and labels left out."""
    return {name: getattr(counters, name) - value for name, value in before.items()}


def plain():
    """The plain numbers now."""
    names = ("publications", "deliveries", "delivered_bytes", "coalesced", "superseded", "joins", "gaps")
    return {name: getattr(counters, name) for name in names}


async def delivered(before, count):
    """Return once so many deliveries have left, past the flush interval."""
    async with asyncio.timeout(LIMIT):
        while more(before)["deliveries"] < count:  # noqa: ASYNC110  # the end of a timer has no event
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("memory_default_layer")
async def test_a_burst_is_coalesced_and_what_is_superseded_never_leaves():
    """The first leaves at once; of the rest a durable group keeps all, in one write, an ephemeral one the latest."""
    hub, socket = get_hub(), Log(Offering())
    await hub.join("chat.burst", socket, raw)
    await hub.join("proof.burst", socket, raw)
    await settled()
    before = plain()
    for number in range(4):
        await hub.publish("chat.burst", {"message": str(number)})
    await delivered(before, 4)
    found = more(before)
    assert (found["publications"], found["deliveries"], found["superseded"]) == (4, 4, 0)
    assert found["coalesced"] == 2
    assert found["delivered_bytes"] >= 4 * len(b'{"message":"0"}')
    before = plain()
    for number in range(4):
        await hub.publish("proof.burst", {"name": "cpu", "message": str(number)})
    await delivered(before, 2)
    found = more(before)
    assert (found["deliveries"], found["superseded"], found["coalesced"]) == (2, 2, 0)


@pytest.mark.usefixtures("memory_default_layer")
async def test_each_delivery_of_a_publication_has_its_latency():
    """As many as deliveries, all within the time that the test took."""
    hub, broadcaster = get_hub(), LogBroadcaster()
    for _ in range(3):
        await hub.join("chat.latency", Log(broadcaster), raw)
    count, total = sum(counters.latency.counts), counters.latency.sum
    began = time.monotonic()
    await hub.publish("chat.latency", {"message": "hi"})
    await settled()
    assert sum(counters.latency.counts) - count == 3
    assert 0 <= counters.latency.sum - total <= 3 * (time.monotonic() - began) + 0.1


@pytest.mark.usefixtures("memory_default_layer")
async def test_who_comes_back_is_counted_by_what_it_gets():
    """Recovered behind a position, reset behind one that nobody knows; who comes anew is neither."""
    hub, broadcaster = get_hub(), LogBroadcaster()
    entry = await hub.join("chat.back", Log(broadcaster), raw)
    resumes, resets = counters.resumes.copy(), counters.resets.copy()
    await hub.join("chat.back", Log(broadcaster), raw, since=entry.position)
    await hub.join("chat.back", Log(broadcaster), raw, since=Position("nobodys", 7))
    assert counters.resumes - resumes == {"recovered": 1, "reset": 1}
    assert counters.resets - resets == {"lost": 1}


class Faulty(FanoutConsumer):
    """Cannot tell in which room a client is."""

    def plain_group(self, scope):
        raise KeyError(scope["path"])


@pytest.mark.usefixtures("memory_default_layer")
async def test_a_handshake_that_an_error_of_ours_ends_has_failed():
    """Wherever it happens: the objective of handshakes counts it."""
    before = counters.handshakes.copy()
    client = WebsocketCommunicator(Faulty.as_asgi(), "/ws/nowhere/")
    await client.send_input({"type": "websocket.connect"})
    with pytest.raises(KeyError):
        await client.wait()
    assert counters.handshakes - before == {FAILED: 1}
