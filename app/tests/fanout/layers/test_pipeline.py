"""How commands share round trips; behind a real socket stands what a test can hold and break as no Redis can be."""

import asyncio
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import hiredis
import pytest
from redis.asyncio.connection import ConnectionPool, UnixDomainSocketConnection
from redis.exceptions import MovedError, ReadOnlyError, ResponseError

from fanout.errors import Unavailable
from fanout.history import READ_BYTES
from fanout.layers import pipeline as module
from fanout.layers.pipeline import BATCH_LIMIT, Pipeline
from fanout.layers.shard import HISTORY_BATCH
from tests.busy import slowed

ERRORS = {
    "WRONG": "-ERR wrong",
    "READONLY": "-READONLY You can't write against a read only replica.",
    "MOVED": "-MOVED 3999 127.0.0.1:6381",
    "LOADING": "-LOADING Redis is loading the dataset in memory",
    "GARBAGE": "?what is this",
}
"""Commands and what is answered to them."""
CUT = "CUT"
"""A command that is answered by cutting the connection."""


class Held:
    """Answers each command with itself, one read after the other, when it may `go`; `batches` are what it has read."""

    def __init__(self) -> None:
        self.batches = []
        self.connections = 0
        self.go = asyncio.Event()
        self.left = asyncio.Event()
        self._writers = []

    async def serve(self, reader, writer):
        self.connections += 1
        self._writers.append(writer)
        parser = hiredis.Reader(encoding="utf-8")
        while data := await reader.read(1 << 20):
            parser.feed(data)
            batch = [tuple(command) for command in iter(parser.gets, False)]
            self.batches.append(batch)
            await self.go.wait()
            for command in batch:
                if command[0] == CUT:
                    break
                writer.write(self._answer(command))
            else:
                continue
            break
        self.left.set()
        writer.close()

    @staticmethod
    def _answer(command):
        if command[0] in ERRORS:
            return f"{ERRORS[command[0]]}\r\n".encode()
        return hiredis.pack_command(command)

    def cut(self):
        """Cut every connection."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def listening(held):
    """A pool of redis-py for what listens on a unix socket."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "redis.sock")
        async with await asyncio.start_unix_server(held.serve, path):
            pool = ConnectionPool(
                connection_class=UnixDomainSocketConnection, path=path, protocol=2, driver_info=None, max_connections=1
            )
            yield pool
            held.go.set()
            await pool.disconnect()
            held.cut()


@pytest.fixture
async def redis():
    return Held()


@pytest.fixture
async def pipeline(redis):
    async with listening(redis) as pool:
        yield Pipeline(pool)


def answered(*commands):
    """What is answered to commands."""
    return [[part.encode() for part in command] for command in commands]


async def under_way(pipeline, redis, tools, *command):
    """A call whose round trip has begun."""
    trips = len(redis.batches)
    task = asyncio.create_task(pipeline.execute(*command))
    await tools.eventually(lambda: len(redis.batches) > trips)
    return task


async def test_callers_share_the_next_round_trip(pipeline, redis, tools):
    """Whoever comes while a round trip is under way shares the next one, in the order of the calls."""
    first = await under_way(pipeline, redis, tools, "A")
    calls = [await tools.begun(pipeline.execute("B", number)) for number in range(5)]
    redis.go.set()
    behind = [("B", str(number)) for number in range(5)]
    assert await asyncio.gather(first, *calls) == answered(("A",), *behind)
    assert redis.batches == [[("A",)], behind]


async def test_a_round_trip_is_bounded(pipeline, redis, tools):
    """No round trip carries more than its limit; the order holds over all of them."""
    first = await under_way(pipeline, redis, tools, "A")
    numbers = [str(number) for number in range(2 * BATCH_LIMIT + 1)]
    calls = [await tools.begun(pipeline.execute(number)) for number in numbers]
    redis.go.set()
    assert await asyncio.gather(first, *calls) == answered(("A",), *([number] for number in numbers))
    assert max(map(len, redis.batches)) == BATCH_LIMIT


async def test_a_round_trip_may_have_a_smaller_bound(redis):
    """Who asks for what may take long asks for less at a time."""
    async with listening(redis) as pool:
        few = Pipeline(pool, 2)
        redis.go.set()
        numbers = [str(number) for number in range(5)]
        assert await asyncio.gather(*map(few.execute, numbers)) == answered(*([number] for number in numbers))
        assert max(map(len, redis.batches)) == 2
        await few.aclose()


def test_a_round_trip_of_reads_is_short():
    """What several reads of streams return together is a small part of what a second can carry."""
    assert HISTORY_BATCH * READ_BYTES <= 4 << 20


async def test_what_can_not_be_sent_harms_no_other(pipeline, redis, tools):
    """A command that can't be packed is its caller's error alone."""
    first = await under_way(pipeline, redis, tools, "A")
    with pytest.raises(TypeError):
        await pipeline.execute("B", object())
    redis.go.set()
    assert [await first] == answered(("A",))


@pytest.mark.parametrize("failure", [CUT, "LOADING", "GARBAGE"])
async def test_a_failed_round_trip_fails_all_its_callers(pipeline, redis, tools, failure):
    """All callers of a failed round trip get Unavailable, without what Redis said; those of the next are served."""
    first = await under_way(pipeline, redis, tools, "A")
    doomed = [await tools.begun(pipeline.execute(failure)) for _ in range(3)]
    redis.go.set()
    assert [await first] == answered(("A",))
    errors = await asyncio.gather(*doomed, return_exceptions=True)
    assert [type(error) for error in errors] == [Unavailable] * 3
    assert "can't be reached" in str(errors[0])
    assert [await pipeline.execute("C")] == answered(("C",))
    assert redis.connections == 2


async def test_an_error_that_nobody_foresaw_fails_the_round_trip(pipeline, redis, tools, monkeypatch, caplog):
    """A bug in what takes answers is logged and fails the round trip's callers; the next are served."""
    redis.go.set()
    take = pipeline._take

    def broken(answer):
        monkeypatch.setattr(pipeline, "_take", take)
        raise AttributeError("a bug")

    monkeypatch.setattr(pipeline, "_take", broken)
    with pytest.raises(Unavailable):
        await pipeline.execute("A")
    assert "a bug" in caplog.text
    assert [await pipeline.execute("B")] == answered(("B",))


async def test_no_connection_fails_whoever_waits_for_it(redis):
    """When no connection can be made, whoever waits is told at once; a later call tries again."""
    async with listening(redis) as pool:
        pipeline = Pipeline(pool)
        where = pool.connection_kwargs["path"]
        pool.connection_kwargs["path"] = f"{where}.not"
        calls = (pipeline.execute("A"), pipeline.execute("B"))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in errors] == [Unavailable] * 2
        await pool.disconnect()
        pool.reset()
        pool.connection_kwargs["path"] = where
        redis.go.set()
        assert [await pipeline.execute("C")] == answered(("C",))


async def test_a_cut_connection_does_not_fail_those_who_wait(pipeline, redis, tools):
    """Whoever waits behind a round trip whose connection was cut is served by the next connection."""
    first = await under_way(pipeline, redis, tools, CUT)
    behind = await tools.begun(pipeline.execute("B"))
    redis.go.set()
    with pytest.raises(Unavailable):
        await first
    assert [await behind] == answered(("B",))


async def test_a_connection_that_was_cut_while_idle_fails_nobody(pipeline, redis, tools):
    """A connection that Redis has closed meanwhile is made anew without an error."""
    redis.go.set()
    await pipeline.execute("A")
    wire = pipeline._wire
    redis.cut()
    await tools.eventually(lambda: wire.stale)
    assert [await pipeline.execute("B")] == answered(("B",))


async def test_a_silent_redis_fails_those_who_wait(pipeline, redis, tools, monkeypatch):
    """Whoever waits behind a round trip without an answer is told with it, not after another timeout."""
    monkeypatch.setattr(module, "COMMAND_TIMEOUT", 1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    first = await under_way(pipeline, redis, tools, "A")
    behind = await tools.begun(pipeline.execute("B"))
    errors = await asyncio.gather(first, behind, return_exceptions=True)
    assert [type(error) for error in errors] == [Unavailable] * 2
    assert 1 <= loop.time() - began < 2 * slowed()
    assert redis.batches == [[("A",)]]
    redis.go.set()
    assert [await pipeline.execute("C")] == answered(("C",))


async def test_one_call_after_the_other_has_its_own_deadline(pipeline, redis, tools, monkeypatch):
    """A call is bounded from when it was made, however many were answered in time before it."""
    monkeypatch.setattr(module, "COMMAND_TIMEOUT", 1)
    loop = asyncio.get_running_loop()
    redis.go.set()
    end = loop.time() + 0.7
    while loop.time() < end:
        await pipeline.execute("A")
    redis.go.clear()
    began = loop.time()
    with pytest.raises(Unavailable):
        await pipeline.execute("B")
    assert 1 <= loop.time() - began < 2 * slowed()


@pytest.mark.parametrize(("wrong", "error"), [("WRONG", ResponseError), ("MOVED", MovedError)])
async def test_one_wrong_command_harms_no_other(pipeline, redis, wrong, error):
    """An error that Redis answers to one command reaches its caller alone."""
    redis.go.set()
    calls = (pipeline.execute("A"), pipeline.execute(wrong), pipeline.execute("B"))
    first, refused, last = await asyncio.gather(*calls, return_exceptions=True)
    assert [first, last] == answered(("A",), ("B",))
    assert type(refused) is error
    assert redis.connections == 1


async def test_a_replica_is_left_for_the_master(pipeline, redis):
    """A server that is read-only says so to its caller; what is asked next goes over a new connection."""
    redis.go.set()
    with pytest.raises(ReadOnlyError):
        await pipeline.execute("READONLY")
    assert [await pipeline.execute("A")] == answered(("A",))
    assert redis.connections == 2


async def test_a_connection_is_left_when_its_round_trip_is_through(pipeline, redis, tools):
    """Renewed while a round trip is under way: that gets its answers, then the connection is closed."""
    first = await under_way(pipeline, redis, tools, "A")
    pipeline.renew()
    redis.go.set()
    assert [await first] == answered(("A",))
    async with asyncio.timeout(1):
        await redis.left.wait()
    assert [await pipeline.execute("B")] == answered(("B",))
    assert redis.connections == 2


async def test_an_idle_connection_is_left_at_once(pipeline, redis):
    """Renewed while nothing is under way: the connection is closed, whether another one is needed or not."""
    redis.go.set()
    await pipeline.execute("A")
    pipeline.renew()
    pipeline.renew()
    async with asyncio.timeout(1):
        await redis.left.wait()
    assert redis.connections == 1


async def test_a_cancelled_caller_harms_no_other(pipeline, redis, tools):
    """A caller that gives up, before or during its round trip, does not keep the others from their answers."""
    during = await under_way(pipeline, redis, tools, "A")
    before = await tools.begun(pipeline.execute("B"))
    stays = await tools.begun(pipeline.execute("C"))
    await tools.cancelled(during)
    await tools.cancelled(before)
    redis.go.set()
    assert [await stays] == answered(("C",))
    assert [await pipeline.execute("D")] == answered(("D",))


async def test_a_call_given_up_in_time_is_not_sent(pipeline, redis, tools):
    """A command whose caller was cancelled before its round trip began is not sent."""
    first = await under_way(pipeline, redis, tools, "A")
    await tools.cancelled(await tools.begun(pipeline.execute("B")))
    redis.go.set()
    await first
    await pipeline.execute("C")
    assert redis.batches == [[("A",)], [("C",)]]


async def test_closing_waits_for_the_answers(pipeline, redis, tools):
    """Closing returns when every command under way has its answer; the pipeline can be used again."""
    call = await under_way(pipeline, redis, tools, "A")
    closing = await tools.begun(pipeline.aclose())
    assert not closing.done()
    redis.go.set()
    await closing
    assert [await call] == answered(("A",))
    await pipeline.aclose()
    assert [await pipeline.execute("B")] == answered(("B",))
    assert redis.connections == 2
