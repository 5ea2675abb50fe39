"""Channels' own `manage.py runworker`, as real processes, on our layer: with 0, 1 and 3 workers."""

import asyncio
import contextlib
import json
import signal
import sys

import pytest

from tests.replicas import APP, Starter, a_folder

pytestmark = pytest.mark.slow

LIMIT = 30
"""Seconds for what must happen: a worker takes 1 s to start, much longer on a busy machine."""


@pytest.fixture
def start_worker(layer_prefix):
    """Start `manage.py runworker thumbnails` on the given servers."""
    with a_folder() as folder, contextlib.closing(Starter(folder)) as starter:

        def start(*servers):
            environment = {
                "DJANGO_SETTINGS_MODULE": "worker.settings",
                "PYTHONPATH": f"{APP}:{APP / 'tests' / 'data'}",
                "LAYER": json.dumps({"hosts": [server.url for server in servers], "prefix": layer_prefix}),
            }
            return starter.process(
                sys.executable, APP / "manage.py", "runworker", "thumbnails", environment=environment
            )

        yield start


class Client:
    """Asks for work and collects who did it."""

    def __init__(self, layer):
        self._layer = layer
        self.done = []

    async def ask(self, *numbers):
        self.channel = getattr(self, "channel", None) or await self._layer.new_channel()
        for number in numbers:
            await self._layer.send(
                "thumbnails", {"type": "thumbnails.make", "number": number, "answer_to": self.channel}
            )

    async def answer(self):
        async with asyncio.timeout(LIMIT):
            message = await self._layer.receive(self.channel)
        self.done.append((message["number"], message["worker"]))
        return message

    @property
    def numbers(self):
        return sorted(number for number, _ in self.done)

    @property
    def workers(self):
        return {worker for _, worker in self.done}


@pytest.fixture
def client(redis_layer, redis_server):
    return Client(redis_layer(redis_server))


async def test_work_waits_for_a_worker_that_starts_later(client, redis_server, start_worker):
    """With 0 workers the messages wait; the first worker that starts gets them all, each once."""
    await client.ask(*range(10))
    worker = start_worker(redis_server)
    for _ in range(10):
        await client.answer()
    assert client.done == [(number, worker.pid) for number in range(10)]


async def test_three_workers_share_the_work(client, redis_server, start_worker):
    """Each message reaches exactly one of three workers, and each worker gets some."""
    workers = {start_worker(redis_server).pid for _ in range(3)}
    asked = 0
    async with asyncio.timeout(LIMIT):
        while client.workers != workers:  # until all have started
            await client.ask(asked)
            asked += 1
            await client.answer()
    client.done.clear()
    await client.ask(*range(90))
    for _ in range(90):
        await client.answer()
    assert client.numbers == list(range(90))
    assert client.workers <= workers  # one that is held up meanwhile may get none
    await client.ask(90)
    assert (await client.answer())["number"] == 90, "a message was worked on twice"


@pytest.mark.fault
async def test_a_killed_worker_takes_no_more_with_it_than_it_had(client, redis_server, start_worker):
    """After kill -9 of one of two, everything that is asked for then is done, once, by the other."""
    dies, stays = start_worker(redis_server), start_worker(redis_server)
    asked = 0
    async with asyncio.timeout(LIMIT):
        while client.workers != {dies.pid, stays.pid}:
            await client.ask(asked)
            asked += 1
            await client.answer()
    dies.signal(signal.SIGKILL)
    dies.wait()
    client.done.clear()
    await client.ask(*range(50))
    for _ in range(50):
        await client.answer()
    assert client.numbers == list(range(50))
    assert client.workers == {stays.pid}


@pytest.mark.fault
async def test_a_worker_outlives_a_restart_of_redis(own_redis, redis_layer, start_worker):
    """A worker that was there before goes on when Redis is back."""
    client = Client(redis_layer(own_redis))
    worker = start_worker(own_redis)
    await client.ask(1)
    await client.answer()
    await asyncio.to_thread(own_redis.restart)
    await asyncio.sleep(0)
    await client.ask(2)
    assert (await client.answer())["worker"] == worker.pid


async def test_workers_on_several_hosts(redis_server, second_redis_server, redis_layer, start_worker):
    """Sender and worker agree on the host of a channel."""
    client = Client(redis_layer(redis_server, second_redis_server))
    start_worker(redis_server, second_redis_server)
    await client.ask(*range(5))
    for _ in range(5):
        await client.answer()
    assert client.numbers == list(range(5))
