"""Real Redis servers for tests: alone, several, or replicated under a Sentinel."""

import contextlib
import tempfile
from pathlib import Path

import pytest

from tests.redis_servers import RedisServer
from tests.sentinels import Pair, Replicated


@contextlib.contextmanager
def a_folder():
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="redis-", dir="/tmp") as folder:
        yield Path(folder)


@contextlib.contextmanager
def started(make, *arguments):
    """What `make(folder, *arguments)` makes, running; it has ended afterwards, whatever a test did."""
    with a_folder() as folder:
        made = make(folder, *arguments)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="session")
def redis_server():
    """A Redis that all tests share: use a `prefix` of your own and break nothing."""
    with started(RedisServer) as server:
        yield server


@pytest.fixture(scope="session")
def second_redis_server():
    """Another one, shared too: for layers with two hosts."""
    with started(RedisServer) as server:
        yield server


@pytest.fixture(scope="session")
def sentinel_server():
    """A master with a replica under a Sentinel that never promotes it, shared too."""
    with started(Replicated, 3_600_000) as server:
        yield server


@pytest.fixture
def own_redis():
    """A Redis for one test, which may stop, kill, pause and restart it."""
    with started(RedisServer) as server:
        yield server


@pytest.fixture
def own_pair():
    """A master with a replica for one test, which may hand over from the one to the other."""
    with started(Pair) as servers:
        yield servers


@pytest.fixture
def own_sentinel():
    """A master with a replica under a Sentinel for one test, which may break any of them."""
    with started(Replicated) as server:
        yield server


TOPOLOGIES = {
    "redis": ("redis_server",),
    "redis-2-hosts": ("redis_server", "second_redis_server"),
    "redis-sentinel": ("sentinel_server",),
}
"""The fixtures of each topology on which the contract holds."""
