"""Which processes live: who dies without a word is gone in time, who only stood still is there again."""

import asyncio

import pytest

from fanout.hub import Hub
from fanout.layers import InMemoryChannelLayer, RedisChannelLayer
from fanout.presence import heartbeat, roster
from tests.fanout.presence.watchers import GROUP, LIMIT, Client

WORST = heartbeat.STALE_AFTER + (heartbeat.DOUBTS + 1) * heartbeat.BEAT_EVERY + roster.INTERVAL
"""Seconds until a death is told, by the true constants."""


async def test_a_process_that_dies_without_a_word_is_gone_in_time(hubs):
    """It beats no more, and within the promised time (here a tenth) its members are gone; the living stay."""
    ada = await Client().join(hubs[0], "Ada", watch=True)
    await Client().join(hubs[1], "Bob")
    await ada.sees("Ada", "Bob")
    hubs[1]._heartbeat.stop()
    began = asyncio.get_running_loop().time()
    await ada.sees("Ada")
    assert asyncio.get_running_loop().time() - began > heartbeat.STALE_AFTER - heartbeat.BEAT_EVERY


def test_the_constants_keep_the_promise():
    """A process that dies without a word is gone within 15 s."""
    assert WORST <= 15


async def test_all_who_die_at_once_are_gone(hubs):
    """A machine takes several processes with it."""
    ada = await Client().join(hubs[0], "Ada", watch=True)
    dying = [hubs[1], *(Hub(hubs[1]._layer) for _ in range(3))]
    for number, hub in enumerate(dying):
        await Client().join(hub, f"Bob {number}")
    await ada.sees("Ada", *(f"Bob {number}" for number in range(4)))
    for hub in dying:
        hub._heartbeat.stop()
    await ada.sees("Ada")
    for hub in dying:
        await hub.aclose()


async def test_a_process_that_only_stood_still_is_there_again(hubs):
    """Who beats again after it was given up is seen again, without having joined anew."""
    ada = await Client().join(hubs[0], "Ada", watch=True)
    await Client().join(hubs[1], "Bob")
    await ada.sees("Ada", "Bob")
    hubs[1]._heartbeat.stop()
    await ada.sees("Ada")
    hubs[1]._heartbeat._task = None
    hubs[1]._heartbeat.start()
    await ada.sees("Ada", "Bob")


async def test_a_dead_process_is_not_shown_to_newcomers(hubs):
    """What a dead process had said is still kept for a while, but nobody who comes later is told of it."""
    await Client().join(hubs[0], "Ada")
    bob = await Client().join(hubs[1], "Bob", watch=True)
    await bob.sees("Ada", "Bob")
    hubs[0]._heartbeat.stop()
    await bob.sees("Bob")
    later = Hub(hubs[1]._layer)
    cid = await Client().join(later, "Cid", watch=True)
    assert cid.infos == ["Bob"]
    kept = {part.process for part in await later._layer.presence(GROUP)}
    assert hubs[0]._heartbeat.process not in kept, "what the dead has said is not kept for ever"
    await later.aclose()


async def test_who_announces_itself_has_a_beat(replicas, own_redis):
    """A Redis that has forgotten everything is told of a part when its process is on record, or others drop it."""
    ada = await Client().join(replicas[0], "Ada", watch=True)
    await Client().join(replicas[1], "Bob")
    await ada.sees("Ada", "Bob")
    for hub in replicas:
        hub._heartbeat.stop()
    own_redis.cli.flushall()
    await Client().join(replicas[1], "Cid")
    async with asyncio.timeout(LIMIT):
        while not own_redis.cli.hlen(f"asgi__presence__{{{GROUP}}}"):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    await replicas[0]._members[GROUP].roster._reload()
    assert [sorted(part.members.values()) for part in await replicas[0]._layer.presence(GROUP)] == [["Bob", "Cid"]]


async def test_processes_that_are_gone_for_long_are_forgotten(monkeypatch):
    """Replicas come and go for months: a heartbeat knows those of the last minute."""
    monkeypatch.setattr(heartbeat, "BEAT_EVERY", 0)
    layer, gone = InMemoryChannelLayer(), []
    beating = heartbeat.Heartbeat(layer, gone.append, lambda: None)
    for number in range(20):
        beating._judge(frozenset({beating.process, f"old {number}"}))
    for _ in range(heartbeat.FORGOTTEN):
        beating._judge(frozenset({beating.process}))
    assert beating._known == {beating.process}
    assert not beating._doubts
    assert frozenset().union(*gone) == {f"old {number}" for number in range(20)}


@pytest.mark.parametrize("request_name", ["memory", "redis_server"])
async def test_a_layer_forgets_a_hub_that_is_closed(request, request_name):
    """Hubs that come and go, as in tests or with event loops, leave nothing with the layer."""
    own = request_name == "memory"
    layer = InMemoryChannelLayer() if own else RedisChannelLayer(hosts=[request.getfixturevalue(request_name).url])
    for _ in range(3):
        hub = Hub(layer)
        await Client().join(hub, "x")
        await hub.aclose()
        await hub.aclose()
    assert own or not layer._get_layer().callbacks
    await layer.flush()
