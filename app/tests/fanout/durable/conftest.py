"""Hubs as of replicas."""

import pytest

from fanout.hub import Hub
from fanout.layers import RedisChannelLayer


@pytest.fixture
async def replicas(own_redis):
    """Two hubs on a Redis that the test may break."""
    layers = [RedisChannelLayer(hosts=[own_redis.url]) for _ in range(2)]
    yield [Hub(layer) for layer in layers]
    for layer in layers:
        await layer.flush()
