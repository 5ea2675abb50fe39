"""A core, real replicas for the client, and a publisher beside them."""

import asyncio
import contextlib
import itertools
import json
import uuid
from pathlib import Path

import pytest

from fanout.client import Core, Publication, connect
from fanout.history import History
from fanout.layers import RedisChannelLayer
from fanout.positions import Position
from tests.redis_servers import RedisServer
from tests.redises import started
from tests.replicas import APP, LIMIT, folder, start, start_once  # noqa: F401 - fixtures

HERE = Path(__file__).parent
URL = "ws://localhost/ws/"
KEPT = History(size=100_000, age=3600, bytes=0)


def on(starter, redis):
    """Let the replicas of a starter share a Redis, and serve `kinds:application`."""
    starter.environment |= {"PYTHONPATH": f"{APP}:{HERE}", "FANOUT_REDIS_URLS": redis.url}
    return starter


@pytest.fixture
def group():
    """A durable group of this test."""
    return f"flood.{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def replica(start_once, redis_server):  # noqa: F811 - the fixture
    """One replica that all tests of a module share."""
    return on(start_once, redis_server).replica("kinds:application")


class Pair:
    """Two replicas, of which clients reach the one that `path` points to."""

    def __init__(self, starter, redis):
        self.redis = redis
        self.path = starter.folder / "edge.sock"
        self.replicas = itertools.cycle([starter.replica("kinds:application", name=f"web-{n}") for n in (2, 3)])
        self.current = None
        self.switch()

    @property
    def name(self):
        """Of the replica that takes who comes."""
        return self.current.path.stem

    def switch(self):
        """Send who comes from now on to the other replica; return the one before."""
        before, self.current = self.current, next(self.replicas)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(self.current.path)
        return before


@pytest.fixture
def pair(start, own_redis):  # noqa: F811 - the fixture
    """Two replicas and a Redis that the test may break."""
    return Pair(on(start, own_redis), own_redis)


@pytest.fixture(scope="module")
def shared_pair(start_once):  # noqa: F811 - the fixture
    """Two replicas and a Redis that the tests of a module share: break what heals, and leave them running."""
    with started(RedisServer) as redis:
        yield Pair(on(start_once, redis), redis)


class Publisher:
    """Publishes numbers to a durable group as another process would."""

    def __init__(self, redis):
        self._layer = RedisChannelLayer(hosts=[redis.url])
        self.published = 0

    async def publish(self, group, count=1, filling=""):
        """Publish the next numbers, in order."""
        for _ in range(count):
            data = json.dumps([self.published, filling]).encode()
            await self._layer.append(group, data, KEPT)
            self.published += 1

    async def data(self, group):
        """All that is in the group's stream."""
        top = await self._layer.top(group)
        read = []
        while len(read) < top.position.offset:
            behind = Position(top.position.epoch, len(read))
            read += await self._layer.read(group, behind, top.position.offset)
        return [json.loads(publication.data) for publication in read]

    async def close(self):
        await self._layer.flush()


@pytest.fixture
async def publisher(request):
    """Beside the `pair` of the test, if it has one, or the shared replica."""
    for name in ("pair", "shared_pair"):
        if name in request.fixturenames:
            made = Publisher(request.getfixturevalue(name).redis)
            break
    else:
        made = Publisher(request.getfixturevalue("redis_server"))
    yield made
    await made.close()


def tasks_of_clients():
    """The tasks of this loop that run code of the client or of its library."""
    return [task for task in asyncio.all_tasks() if "app/fanout/client/" in repr(task) or "websockets/" in repr(task)]


@pytest.fixture(autouse=True)
async def no_task_is_left():
    """Whatever a client did, when it is closed all of its tasks have ended."""
    yield
    assert tasks_of_clients() == []


async def take(client, count):
    """The numbers of the next publications; fails on a Reset or a refusal."""
    numbers = []
    async with asyncio.timeout(LIMIT):
        while len(numbers) < count:
            event = await anext(client)
            if isinstance(event, Publication):
                numbers.append(event.data[0])
            else:
                assert type(event).__name__ == "Joined", event
    return numbers


async def until(condition):
    """Return when the condition holds."""
    async with asyncio.timeout(LIMIT):
        while not condition():  # noqa: ASYNC110 - what it looks at has no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def enter():
    """A function that enters a client, by the path of a replica's socket and its groups; all are closed at the end."""
    async with contextlib.AsyncExitStack() as stack:
        yield lambda path, *groups, **options: stack.enter_async_context(
            connect(URL, groups, unix=path, **{"timeout": LIMIT, **options})
        )


@pytest.fixture
def core():
    """A core with a connection, which always draws 0.5."""
    core = Core(rand=lambda: 0.5)
    core.opened()
    return core
