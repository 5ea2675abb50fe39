"""Layers under test, and what listens to them."""

import asyncio
import inspect

import pytest

from fanout.layers import InMemoryChannelLayer, RedisChannelLayer
from tests.redises import TOPOLOGIES

LIMIT = 5
"""Seconds that anything awaited may take; what takes longer has failed."""


class Inbox:
    """A receiver of publications that a test can await."""

    def __init__(self) -> None:
        self.calls = 0
        self._queue = asyncio.Queue()

    def __call__(self, publication) -> None:
        self.calls += 1
        self._queue.put_nowait(publication)

    async def next(self):
        """The next publication."""
        async with asyncio.timeout(LIMIT):
            return await self._queue.get()

    async def data(self, count=None):
        """The data of the next publication, or a list of several."""
        if count is None:
            return (await self.next()).data
        return [(await self.next()).data for _ in range(count)]

    @property
    def empty(self) -> bool:
        """Whether nothing has arrived that was not taken."""
        return self._queue.empty()


class Tools:
    """Small things that every test of a layer needs, each bounded in time."""

    Inbox = Inbox

    @staticmethod
    async def receive(layer, channel):
        """The next message of a channel."""
        async with asyncio.timeout(LIMIT):
            return await layer.receive(channel)

    @staticmethod
    async def eventually(condition, limit=LIMIT):
        """Return what the condition returns, once that is true."""
        async with asyncio.timeout(limit):
            while True:
                value = condition()
                if inspect.isawaitable(value):
                    value = await value
                if value:
                    return value
                await asyncio.sleep(0.005)

    @staticmethod
    async def begun(coroutine):
        """Return a task that has run up to its first wait."""
        task = asyncio.create_task(coroutine)
        await asyncio.sleep(0)
        return task

    @staticmethod
    async def cancelled(task):
        """Cancel a task and wait for its end."""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def tools():
    return Tools


@pytest.fixture
async def redis_layer(layer_prefix):
    """Make RedisChannelLayers on a server: `redis_layer(server, **options)`; they are closed afterwards."""
    made = []

    def make(*servers, **options):
        hosts = options.pop("hosts", None) or [server.host for server in servers]
        layer = RedisChannelLayer(hosts=hosts, **{"prefix": layer_prefix, **options})
        made.append(layer)
        return layer

    yield make
    for layer in made:
        async with asyncio.timeout(LIMIT):
            await layer.flush()


@pytest.fixture(params=["memory", *TOPOLOGIES])
def make_layer(request, redis_layer):
    """Make layers that hear each other, each as if in a process of its own; in memory there is only one."""
    if request.param == "memory":
        made = []

        def the_one(**options):
            made.extend([] if made else [InMemoryChannelLayer(**options)])
            return made[0]

        return the_one
    servers = [request.getfixturevalue(name) for name in TOPOLOGIES[request.param]]
    return lambda **options: redis_layer(*servers, **options)


@pytest.fixture
def layer(make_layer):
    """The layer under test."""
    return make_layer()


@pytest.fixture
def other(make_layer):
    """The same layer in another process."""
    return make_layer()
