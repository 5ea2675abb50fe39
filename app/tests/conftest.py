"""What all tests may ask for: a real Redis of their own, and a default channel layer."""

import signal
import uuid

import pytest

from tests.fleets import fleet, own_fleet, unstarted  # noqa: F401 - fixtures for all folders
from tests.redises import (  # noqa: F401 - fixtures for all folders
    own_pair,
    own_redis,
    own_sentinel,
    redis_server,
    second_redis_server,
    sentinel_server,
)

# `nohup` ignores SIGHUP, a shell SIGINT for what it runs in the background; programs that a test starts would, too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def layer_prefix():
    """A prefix under which no other test sends."""
    return f"test-{uuid.uuid4().hex[:12]}-"


@pytest.fixture
def redis_default_layer(settings, request, layer_prefix):
    """CHANNEL_LAYERS['default'] is the layer over the shared Redis."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "fanout.layers.RedisChannelLayer",
            "CONFIG": {"hosts": [request.getfixturevalue("redis_server").url], "prefix": layer_prefix},
        },
    }


@pytest.fixture
def memory_default_layer(settings):
    """CHANNEL_LAYERS['default'] is the layer within this process, fresh."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "fanout.layers.InMemoryChannelLayer"}}


@pytest.fixture(params=["memory", "redis"])
def default_layer(request):
    """CHANNEL_LAYERS['default'] is one of ours: the test runs with each; its name is the value."""
    request.getfixturevalue(f"{request.param}_default_layer")
    return request.param
