"""How commands share round trips; Redis is a stand-in that a test can hold and break."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from fanout.errors import Unavailable
from fanout.history import READ_BYTES
from fanout.layers.publisher import BATCH_LIMIT, Publisher
from fanout.layers.shard import HISTORY_BATCH


class StandIn:
    """A pool with one connection, whose every round trip waits for `go`; `failures` says which trips fail, and how."""

    socket_timeout = 1

    def __init__(self) -> None:
        self.batches = []
        self.failures = {}
        self.go = asyncio.Event()
        self.taken = False
        self._answers = []

    async def get_connection(self):
        assert not self.taken, "a connection was not given back"
        self.taken = True
        return self

    async def release(self, connection):
        self.taken = False

    async def disconnect(self, nowait):
        self._answers.clear()

    def pack_commands(self, commands):
        return commands

    async def send_packed_command(self, commands, check_health):
        self.batches.append(list(commands))
        self._answers += commands

    async def read_response(self, disable_decoding):
        failure = self.failures.get(len(self.batches))
        await self.go.wait()
        if failure:
            raise failure
        command = self._answers.pop(0)
        if command[0] == "WRONG":
            raise ResponseError("wrong")
        return command


@pytest.fixture
async def redis():
    return StandIn()


@pytest.fixture
async def publisher(redis):
    return Publisher(redis)


async def under_way(publisher, redis, tools, *command):
    """A call whose round trip has begun."""
    trips = len(redis.batches)
    task = asyncio.create_task(publisher.execute(*command))
    await tools.eventually(lambda: len(redis.batches) > trips)
    return task


async def test_callers_share_the_next_round_trip(publisher, redis, tools):
    """Whoever comes while a round trip is under way shares the next one, in the order of the calls."""
    first = await under_way(publisher, redis, tools, "A")
    calls = [await tools.begun(publisher.execute("B", number)) for number in range(5)]
    redis.go.set()
    assert await asyncio.gather(first, *calls) == [("A",), *(("B", number) for number in range(5))]
    assert redis.batches == [[("A",)], [("B", number) for number in range(5)]]


async def test_a_round_trip_is_bounded(publisher, redis):
    """No round trip carries more than its limit; the order holds over all of them."""
    redis.go.set()
    numbers = range(2 * BATCH_LIMIT + 1)
    answers = await asyncio.gather(*(publisher.execute(number) for number in numbers))
    assert answers == [(number,) for number in numbers]
    assert [len(batch) for batch in redis.batches] == [BATCH_LIMIT, BATCH_LIMIT, 1]
    few = Publisher(redis, 2)
    await asyncio.gather(*(few.execute(number) for number in range(5)))
    assert [len(batch) for batch in redis.batches[3:]] == [2, 2, 1]


def test_a_round_trip_of_reads_is_short():
    """What several reads of streams return together is a small part of what a second can carry."""
    assert HISTORY_BATCH * READ_BYTES <= 4 << 20


@pytest.mark.parametrize("failure", [RedisConnectionError("cut"), OSError("no such socket"), AttributeError("a bug")])
async def test_a_failed_round_trip_fails_all_its_callers(publisher, redis, tools, failure):
    """All callers of a failed round trip get Unavailable, without Redis' address; those of the next are served."""
    redis.failures[2] = failure
    first = await under_way(publisher, redis, tools, "A")
    doomed = [await tools.begun(publisher.execute("B", number)) for number in range(3)]
    redis.go.set()
    assert await first == ("A",)
    errors = await asyncio.gather(*doomed, return_exceptions=True)
    assert [type(error) for error in errors] == [Unavailable] * 3
    assert str(failure) not in str(errors[0])
    assert await publisher.execute("C") == ("C",)


async def test_a_cut_connection_does_not_fail_those_who_wait(publisher, redis, tools):
    """Whoever waits behind a round trip whose connection was cut is served by the next connection."""
    redis.failures[1] = RedisConnectionError("cut")
    first = await under_way(publisher, redis, tools, "A")
    behind = await tools.begun(publisher.execute("B"))
    redis.go.set()
    with pytest.raises(Unavailable):
        await first
    assert await behind == ("B",)


async def test_a_silent_redis_fails_those_who_wait(publisher, redis, tools):
    """Whoever waits behind a round trip that timed out is told at once, not after another timeout."""
    redis.failures[1] = RedisTimeoutError("Timeout reading")
    first = await under_way(publisher, redis, tools, "A")
    behind = await tools.begun(publisher.execute("B"))
    redis.go.set()
    errors = await asyncio.gather(first, behind, return_exceptions=True)
    assert [type(error) for error in errors] == [Unavailable] * 2
    assert redis.batches == [[("A",)]]
    assert await publisher.execute("C") == ("C",)


async def test_one_wrong_command_harms_no_other(publisher, redis):
    """An error that Redis answers to one command reaches its caller alone."""
    redis.go.set()
    calls = (publisher.execute("A"), publisher.execute("WRONG"), publisher.execute("B"))
    first, wrong, last = await asyncio.gather(*calls, return_exceptions=True)
    assert (first, last) == (("A",), ("B",))
    assert isinstance(wrong, ResponseError)


async def test_a_cancelled_caller_harms_no_other(publisher, redis, tools):
    """A caller that gives up, before or during its round trip, does not keep the others from their answers."""
    during = await under_way(publisher, redis, tools, "A")
    before = await tools.begun(publisher.execute("B"))
    stays = await tools.begun(publisher.execute("C"))
    await tools.cancelled(during)
    await tools.cancelled(before)
    redis.go.set()
    assert await stays == ("C",)
    assert await publisher.execute("D") == ("D",)


async def test_a_call_given_up_in_time_is_not_sent(publisher, redis, tools):
    """A command whose caller was cancelled before its round trip began is not sent."""
    first = await under_way(publisher, redis, tools, "A")
    await tools.cancelled(await tools.begun(publisher.execute("B")))
    redis.go.set()
    await first
    await publisher.execute("C")
    assert redis.batches == [[("A",)], [("C",)]]


async def test_closing_waits_for_the_answers(publisher, redis, tools):
    """Closing returns when every command under way has its answer; the publisher can be used again."""
    call = await under_way(publisher, redis, tools, "A")
    closing = await tools.begun(publisher.aclose())
    assert not closing.done()
    redis.go.set()
    await closing
    assert await call == ("A",)
    await publisher.aclose()
    assert await publisher.execute("B") == ("B",)
