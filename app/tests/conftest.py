"""What all tests may ask for: a real Redis of their own, and a default channel layer."""

import ast
import functools
import gc
import signal
import sys
import uuid
from collections import Counter

import pytest
from asgiref.sync import SyncToAsync
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from hypothesis import HealthCheck, settings

from tests.fleets import fleet, own_fleet, unstarted  # noqa: F401 - fixtures for all folders
from tests.redises import (  # noqa: F401 - fixtures for all folders
    own_pair,
    own_redis,
    own_sentinel,
    redis_server,
    second_redis_server,
    sentinel_server,
)

# What is collected stays to the end: to look for garbage in it takes a third of the time. See pytest_runtestloop.
gc.disable()

# `nohup` ignores SIGHUP, a shell SIGINT for what it runs in the background; programs that a test starts would, too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


def _uncollected(parse):
    @functools.wraps(parse)
    def wrapped(*arguments, **options):
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return parse(*arguments, **options)
        finally:
            if was_enabled:
                gc.enable()

    return wrapped


# Before 3.11.8 the parser loses count when a collection within it lets others parse: python/cpython issue 106905.
if sys.version_info < (3, 11, 8):
    ast.parse = _uncollected(ast.parse)

# A machine with more to do than cores takes its time: no example fails by that.
settings.register_profile("at any pace", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("at any pace")

SECONDS = {"slow": 15, "compose": 10, "browser": 5, "cluster": 3, "fault": 3}
"""What a test with such a mark takes, about."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Files that take long come first: where files run side by side, none of them is left to run alone at the end."""
    files = Counter()
    for item in items:
        files[item.path] += max([SECONDS.get(mark.name, 0) for mark in item.iter_markers()] + [0.2])
    items.sort(key=lambda item: (-files[item.path], item.path))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop():
    """Look for garbage in what the tests make, from now on, and in nothing else."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _no_connection_is_left():
    """What async code of a test opened to the database in its thread is closed: the next test may have no database."""
    yield

    def close():
        for connection in connections.all(initialized_only=True):
            BaseDatabaseWrapper.close(connection)  # SQLite's own keeps one to a database in memory

    SyncToAsync.single_thread_executor.submit(close).result()


@pytest.fixture
def layer_prefix():
    """A prefix under which no other test sends; the application's account at Redis may use what begins so."""
    return f"asgi__test-{uuid.uuid4().hex[:12]}-"


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
