"""The archive as real workers write it: what is published has one row, whatever dies."""

import asyncio
import itertools
import json
import os
import random
import signal
import time
import uuid

import pytest

from demos.chat.policy import ChatPolicy
from fanout.errors import Unavailable
from fanout.history import History
from fanout.layers import RedisChannelLayer
from tests.busy import slowed
from tests.redis_servers import RedisServer, eventually
from tests.redises import started

pytestmark = pytest.mark.slow

HISTORY = ChatPolicy.history
SHORT = History(size=5, age=3600, archived=True)
PROMISED = 5.0
"""Seconds within which a publication has its row, once all is there."""
KILLS = 50 if os.environ.get("SOAK") else 10
"""`make soak` takes the time for all of them."""
KEPT = ("--appendonly", "yes", "--appendfsync", "no")
"""A killed process loses nothing that it has acknowledged; with `everysec` it may, while a flush is slow."""


def rooms(count):
    """Groups that no other test uses."""
    return [f"chat.{uuid.uuid4().hex[:8]}" for _ in range(count)]


def lost(crew):
    """How many the worker says had no row when they went; None when it does not answer."""
    return (crew.job("archive") or {}).get("lost")


async def publish(layer, group, *messages, history=HISTORY):
    """Publish; return the rows that are to be there."""
    positions = [await layer.append(group, json.dumps(each).encode(), history) for each in messages]
    return [(group, at.epoch, at.offset, each) for at, each in zip(positions, messages, strict=True)]


async def test_what_is_published_has_a_row_in_time(kind, crew_of, own_redis, redis_layer):
    """What was there before the worker, and what comes while it runs, of several groups, within 5 s."""
    layer, crew = redis_layer(own_redis, prefix="asgi"), crew_of(kind, own_redis)
    one, two = sorted(rooms(2))
    expected = await publish(layer, one, "before", "ü \x00 \U0001f426")
    crew.worker()
    assert await asyncio.to_thread(crew.archived, 2) == expected
    began = time.monotonic()
    expected += await publish(layer, one, "more") + await publish(layer, two, *range(400))
    await publish(layer, "game.main", "no archive", history=History())
    assert await asyncio.to_thread(crew.archived, len(expected)) == expected
    assert time.monotonic() - began < PROMISED * slowed()
    idle = {"lag": 0.0, "groups_waiting": 0, "copied": len(expected), "lost": 0}
    await asyncio.to_thread(eventually, lambda: crew.is_ready() and crew.job("archive") == idle, str(idle))
    numbers = sorted(number for group, *_, number in crew.database.rows() if group == two)
    assert numbers == list(range(1, 401))


async def test_two_workers_double_nothing(kind, crew_of, own_redis, redis_layer):
    """Both see each publication, one writes it."""
    layer, crew = redis_layer(own_redis, prefix="asgi"), crew_of(kind, own_redis)
    crew.worker("one"), crew.worker("two")
    await asyncio.to_thread(eventually, crew.is_ready, "the second is ready")
    groups, expected = rooms(5), []
    for number in range(40):
        for group in groups:
            expected += await publish(layer, group, number)
    assert await asyncio.to_thread(crew.archived, len(expected)) == sorted(expected)


async def test_what_has_no_row_is_not_trimmed(crew_of, own_redis, redis_layer):
    """Without a worker a stream grows past its history; one that comes copies all, and the stream is short again."""
    layer, (group,) = redis_layer(own_redis, prefix="asgi"), rooms(1)
    stream = f"asgi__stream__{{{group}}}"
    expected = await publish(layer, group, *range(HISTORY.size + 200))
    assert own_redis.cli.xlen(stream) == HISTORY.size + 200
    crew = crew_of("sqlite", own_redis)
    crew.worker()
    assert await asyncio.to_thread(crew.archived, len(expected)) == expected
    await asyncio.to_thread(eventually, lambda: own_redis.cli.xlen(stream) == HISTORY.size, "it is trimmed")
    assert own_redis.cli.ttl(stream) <= HISTORY.age


async def test_what_waits_is_bounded_and_what_is_lost_is_told(crew_of, own_redis, redis_layer, monkeypatch):
    """Past the limit the oldest go; the worker says how many, and copies the rest."""
    monkeypatch.setattr("fanout.layers.streams.BACKLOG", 20)
    layer, (group,) = redis_layer(own_redis, prefix="asgi"), rooms(1)
    expected = await publish(layer, group, *range(50), history=SHORT)
    assert own_redis.cli.xlen(f"asgi__stream__{{{group}}}") == 20
    crew = crew_of("sqlite", own_redis)
    worker = crew.worker()
    worker.said(f"30 publications of {group} were gone before they were archived")
    assert await asyncio.to_thread(crew.archived, 20) == expected[30:]
    await asyncio.to_thread(eventually, lambda: lost(crew) == 30, "30 are lost")


async def test_a_redis_that_forgot_everything_begins_a_new_history(crew_of, own_redis, redis_layer):
    """Rows of the old epoch stay; those of the new one come behind them, with the same offsets."""
    layer, (group,) = redis_layer(own_redis, prefix="asgi"), rooms(1)
    crew = crew_of("sqlite", own_redis)
    crew.worker()
    expected = await publish(layer, group, "a", "b", "c")
    await asyncio.to_thread(crew.archived, 3)
    await asyncio.to_thread(own_redis.restart)
    expected += await published(layer, group, "d") + await publish(layer, group, "e")
    rows = await asyncio.to_thread(crew.archived, 5)
    assert rows == sorted(expected)
    assert [json.loads(data) for *_, data, _ in sorted(crew.database.rows(), key=lambda row: row[-1])] == list("abcde")


async def test_a_redis_that_was_restored_from_before_the_archive_holds_up_nothing(crew_of, own_redis, redis_layer):
    """It knows nothing of an epoch that the archive has come to: what has a row gets no other, and new ones follow."""
    layer, (group,) = redis_layer(own_redis, prefix="asgi"), rooms(1)
    crew = crew_of("sqlite", own_redis)
    crew.worker()
    expected = await publish(layer, group, "a", "b")
    await asyncio.to_thread(crew.archived, 2)
    backup = own_redis.cli.dump(f"asgi__stream__{{{group}}}"), own_redis.cli.dump(f"asgi__meta__{{{group}}}")
    for message in "cd":
        await asyncio.to_thread(own_redis.restart)
        for name, data in zip(("stream", "meta"), backup, strict=True):
            own_redis.cli.restore(f"asgi__{name}__{{{group}}}", 0, data)
        expected += await published(layer, group, message)
        assert await asyncio.to_thread(crew.archived, len(expected)) == sorted(expected)
    assert len({epoch for _, epoch, *_ in expected}) == 3
    assert sorted(number for *_, number in crew.database.rows()) == [1, 2, 3, 4]
    await asyncio.to_thread(eventually, crew.is_ready, "nothing keeps it from its work")


@pytest.mark.parametrize("when", ["before the worker", "while it works"])
async def test_a_host_that_is_away_holds_up_none_of_the_others(crew_of, own_redis, when):
    """What is on the other host is copied in time, and what was on the lost one when it is back."""
    with started(RedisServer, *KEPT) as lost:
        crew = crew_of("sqlite", own_redis, lost)
        layer = RedisChannelLayer(hosts=[own_redis.url, lost.url])
        groups = ["chat.tea", "chat.coffee", "chat.cocoa", "chat.milk"]
        expected = [row for group in groups for row in await publish(layer, group, "one")]
        here = [group for group in groups if own_redis.cli.exists(f"asgi__stream__{{{group}}}")]
        assert 0 < len(here) < len(groups)
        if when == "while it works":
            crew.worker()
            await asyncio.to_thread(crew.archived, len(expected))
        await asyncio.to_thread(lost.kill)
        if when == "before the worker":
            crew.worker()
        expected += [row for group in here for row in await publish(layer, group, "two")]
        there = [row for row in expected if row[0] in here or when == "while it works"]
        assert await asyncio.to_thread(crew.archived, len(there)) == sorted(there)
        await asyncio.to_thread(eventually, lambda: not crew.is_ready(), "it says that a host is away")
        await asyncio.to_thread(lost.start)
        assert await asyncio.to_thread(crew.archived, len(expected)) == sorted(expected)
        await layer.flush()


async def published(layer, group, message):
    """Publish once, asking again with the same key for as long as Redis is away."""
    key = uuid.uuid4().hex
    while True:
        try:
            position = await layer.append(group, json.dumps(message).encode(), HISTORY, key)
        except Unavailable:
            await asyncio.sleep(0.05)
        else:
            return [(group, position.epoch, position.offset, message)]


class Faults:
    """What can die, and how it comes back."""

    def __init__(self, crew, servers, seed):
        self._crew = crew
        self._servers = servers
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self.worker = crew.worker()
        self.done = []

    def one(self):
        """Kill something and start it again; return when it is back."""
        name = self._random.choice(["worker", "worker", "redis", "database"])
        self.done.append(name)
        if name == "worker":
            self.worker.signal(signal.SIGKILL)
            self.worker.wait()
            self.worker = self._crew.worker()
            return
        broken = self._random.choice(self._servers) if name == "redis" else self._crew.database
        broken.kill()
        time.sleep(self._random.uniform(0, 0.6))  # how long it is away
        broken.start()


@pytest.mark.fault
@pytest.mark.timeout(400)
async def test_worker_redis_and_database_are_killed_at_random(kind, crew_of, redis_layer):
    """Worker, two Redis hosts and the database die while six rooms talk and fall silent: every row compares equal."""
    seed = random.randrange(10**6)  # noqa: S311 - no secret
    with started(RedisServer, *KEPT) as one, started(RedisServer, *KEPT) as two:
        crew = crew_of(kind, one, two)
        layer = RedisChannelLayer(hosts=[one.url, two.url])
        groups = rooms(6)

        async def talk(group):
            said = []
            last = random.randrange(1, KILLS)  # noqa: S311 - a room that falls silent has nobody to remind the worker
            while len(faults.done) < last:
                said += await published(layer, group, f"{group} {len(said)}")
                await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311 - no secret
            return said

        faults = Faults(crew, [one, two], seed)
        talking = [asyncio.create_task(talk(group)) for group in groups]
        for _ in range(KILLS):
            await asyncio.to_thread(faults.one)
            await asyncio.sleep(random.uniform(0, 1.5))  # noqa: S311 - a worker takes 0.7 s until it works
        expected = sorted(itertools.chain.from_iterable(await asyncio.gather(*talking)))
        await layer.flush()
        await asyncio.to_thread(eventually, crew.is_ready, "the worker that lives is ready")
        rows = await asyncio.to_thread(crew.archived, len(expected))
        assert rows == expected, f"seed {seed}: {faults.done}"
        numbers = {group: sorted(row[-1] for row in crew.database.rows() if row[0] == group) for group in groups}
        assert all(each == list(range(1, len(each) + 1)) for each in numbers.values())
        await asyncio.to_thread(eventually, lambda: lost(crew) == 0, "nothing is lost")
