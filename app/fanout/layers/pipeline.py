"""Commands of many callers in one round trip: whoever comes while one is under way shares the next."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError

from fanout.errors import Unavailable
from fanout.layers.wire import Wire, pack

if TYPE_CHECKING:
    from redis.asyncio.connection import ConnectionPool

    from fanout.histogram import Histogram

logger = logging.getLogger(__name__)

COMMAND_TIMEOUT = 2.0
"""Seconds for commands, their connect and the question to Sentinel: the longest wait for a Redis that is dead."""
BATCH_LIMIT = 500
"""Commands a round trip: bounds how long one failing batch makes its callers wait."""


class _Call(NamedTuple):
    command: bytes
    answer: asyncio.Future[Any]
    deadline: float


class Pipeline:
    """Executes commands on one Redis connection, in the order of the calls."""

    def __init__(self, pool: ConnectionPool, batch: int = BATCH_LIMIT, round_trips: Histogram | None = None) -> None:
        """`batch` bounds the commands of one round trip; how long each takes (s) is put into `round_trips`."""
        self._pool = pool
        self._batch = batch
        self._round_trips = round_trips
        self._asked_at = 0.0
        self._waiting: deque[_Call] = deque()
        self._asked: deque[_Call] = deque()
        """The round trip under way: Redis answers in this order."""
        self._wire: Wire | None = None
        self._opening: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def execute(self, *command: Any) -> Any:
        """Return Redis' answer. Raise Unavailable when there is none within COMMAND_TIMEOUT, or what Redis says."""
        loop = asyncio.get_running_loop()
        call = _Call(pack(*command), loop.create_future(), loop.time() + COMMAND_TIMEOUT)
        self._waiting.append(call)
        if self._timer is None:
            self._timer = loop.call_at(call.deadline, self._check)
        if not self._asked:
            self._ask()
        return await call.answer

    def renew(self) -> None:
        """Leave the connection when its round trip is through: it may lead to what is not the master any more."""
        if self._wire is not None:
            self._wire.renew()
            if not self._asked:
                self._ask()

    async def aclose(self) -> None:
        """Return when the commands under way are answered and the connection is closed; it opens again when used."""
        while calls := [call.answer for call in (*self._asked, *self._waiting) if not call.answer.done()]:
            await asyncio.wait(calls)
        if self._opening is not None:
            await asyncio.wait([self._opening])
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()

    # -- a round trip -----------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Send what waits, in one write."""
        if self._wire is None or self._wire.stale:
            if self._waiting:
                self._opening = self._opening or asyncio.create_task(self._open())
            elif self._wire is not None:
                self._wire.fail(RedisConnectionError("left for a new one"))
            return
        while self._waiting and len(self._asked) < self._batch:
            call = self._waiting.popleft()
            if not call.answer.done():  # its caller has given up
                self._asked.append(call)
        if self._asked:
            self._asked_at = time.perf_counter()
            self._wire.send(b"".join([call.command for call in self._asked]))

    def _take(self, answer: Any) -> None:
        """Give the oldest call its answer; what Redis says against one command is an answer, too."""
        if isinstance(answer, RedisConnectionError):  # it loads its data, or wants a password
            raise answer
        call = self._asked.popleft()
        if not call.answer.done():
            if isinstance(answer, Exception):
                call.answer.set_exception(answer)
            else:
                call.answer.set_result(answer)
        if isinstance(answer, ReadOnlyError) and self._wire is not None:
            # Another server is the master now: the next connection is made to wherever the address leads by then.
            self._wire.renew()
        if not self._asked:
            if self._round_trips is not None:
                self._round_trips.observe(time.perf_counter() - self._asked_at)
            self._ask()

    # -- the connection -----------------------------------------------------------------------------------

    async def _open(self) -> None:
        old, self._wire = self._wire, None
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                if old is not None:
                    await old.aclose()
                wire = Wire(self._pool, self._take, self._lost)
                await wire.open()
            self._wire = wire
        except Exception as error:  # noqa: BLE001 - whatever it is, no caller may wait for ever; `_fail` logs it
            self._fail(self._waiting, error)
        finally:
            self._opening = None
        self._ask()

    def _lost(self, error: Exception) -> None:
        """Fail the round trip under way; whoever waits behind it is served by the next connection."""
        self._fail(self._asked, error)
        self._ask()

    def _check(self) -> None:
        """Keep the deadline of the oldest call; those behind it have later ones."""
        self._timer = None
        calls = self._asked or self._waiting
        if not calls:
            return
        loop = asyncio.get_running_loop()
        if calls[0].deadline > loop.time():
            self._timer = loop.call_at(calls[0].deadline, self._check)
            return
        # Who waits behind would wait as long again for the same silent Redis.
        error = TimeoutError(f"no answer within {COMMAND_TIMEOUT:g} s")
        self._fail(self._waiting, error)
        if self._wire is not None:
            self._wire.fail(error)

    @staticmethod
    def _fail(calls: deque[_Call], error: Exception) -> None:
        if not isinstance(error, (RedisError, OSError)):
            logger.error("an error that nobody foresaw on a connection for commands", exc_info=error)
        while calls:
            answer = calls.popleft().answer
            if not answer.done():
                answer.set_exception(_unavailable(error))


def _unavailable(error: Exception) -> Unavailable:
    # Strangers read the sentence; where Redis is, and how it failed, is for the log and for operators.
    logger.debug("Redis did not answer: %r", error)
    told = Unavailable("Redis can't be reached: what was asked for may have happened or not, try again.")
    told.__cause__ = error
    return told
