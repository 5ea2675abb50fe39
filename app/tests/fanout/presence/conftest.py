"""Hubs as of replicas, whose intervals are a tenth."""

import pytest

from fanout import policy
from fanout.hub import Hub
from fanout.layers import InMemoryChannelLayer, RedisChannelLayer
from fanout.presence import heartbeat, roster
from tests.fanout.presence.watchers import Room


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """All intervals are a tenth, in proportion."""
    monkeypatch.setitem(policy._policies, Room.kind, Room())
    monkeypatch.setattr(roster, "INTERVAL", 0.1)
    monkeypatch.setattr(heartbeat, "BEAT_EVERY", 0.2)
    monkeypatch.setattr(heartbeat, "AGAIN_AFTER", 0.05)
    monkeypatch.setattr(heartbeat, "STALE_AFTER", 0.6)


@pytest.fixture(params=["memory", "redis"])
async def hubs(request):
    """Two hubs as of two replicas; in memory they share the layer."""
    if request.param == "memory":
        layers = [InMemoryChannelLayer()] * 2
    else:
        url, prefix = request.getfixturevalue("redis_server").url, request.getfixturevalue("layer_prefix")
        layers = [RedisChannelLayer(hosts=[url], prefix=prefix) for _ in range(2)]
    made = [Hub(layer) for layer in layers]
    yield made
    for hub in made:
        await hub.aclose()
    for layer in layers:
        await layer.flush()


@pytest.fixture
async def replicas(own_redis):
    """Two hubs on a Redis that the test may break."""
    layers = [RedisChannelLayer(hosts=[own_redis.url]) for _ in range(2)]
    made = [Hub(layer) for layer in layers]
    yield made
    for hub in made:
        await hub.aclose()
    for layer in layers:
        await layer.flush()
