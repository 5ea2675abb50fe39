"""Commands of many callers in one round trip: whoever comes while one is under way shares the next."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from redis.exceptions import ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from fanout.errors import Unavailable

if TYPE_CHECKING:
    from redis.asyncio.connection import Connection, ConnectionPool

logger = logging.getLogger(__name__)

COMMAND_TIMEOUT = 2.0
"""Seconds for commands, their connect and the question to Sentinel: the longest wait for a Redis that is dead."""
BATCH_LIMIT = 500
"""Commands a round trip: bounds how long one failing batch makes its callers wait."""


class Publisher:
    """Executes commands on one Redis connection, in the order of the calls."""

    def __init__(self, pool: ConnectionPool, batch: int = BATCH_LIMIT) -> None:
        """`batch` bounds the commands of one round trip."""
        self._pool = pool
        self._batch = batch
        self._waiting: list[tuple[tuple[Any, ...], asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def execute(self, *command: Any) -> Any:
        """Return Redis' answer. Raise Unavailable when there is none within COMMAND_TIMEOUT."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                return await answer
        except TimeoutError as error:  # the round trip before it took most of the time
            raise _unavailable(error) from error

    async def aclose(self) -> None:
        """Wait until the commands under way are answered."""
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
                batch = [(command, answer) for command, answer in batch if not answer.cancelled()]
                if batch:
                    await self._round_trip(batch)
        finally:
            self._task = None

    async def _round_trip(self, batch: list[tuple[tuple[Any, ...], asyncio.Future[Any]]]) -> None:
        try:
            answers = await self._ask([command for command, _ in batch])
        except Exception as error:  # whatever it is, no caller may wait for ever
            if not isinstance(error, (RedisError, OSError)):
                logger.exception("an error that nobody foresaw while publishing")
            if isinstance(error, (RedisTimeoutError, TimeoutError)):
                # Who waits behind would wait as long again for the same silent Redis.
                batch, self._waiting = batch + self._waiting, []
            answers = [_unavailable(error) for _ in batch]
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():  # its caller was cancelled
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _ask(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """Return an answer, or an exception in its place, for each command."""
        # A pipeline of redis-py would do the same for twice the CPU.
        async with asyncio.timeout(COMMAND_TIMEOUT):
            connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            connection.socket_timeout = None  # ours holds for all of it
            try:
                await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
                answers = [await _answer(connection) for _ in commands]
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            finally:
                await self._pool.release(connection)
        if any(isinstance(answer, ReadOnlyError) for answer in answers):
            # Another server is the master now: the next connection is made to wherever the address leads by then.
            await self._pool.disconnect(inuse_connections=False)
        return answers


async def _answer(connection: Connection) -> Any:
    """Return the next answer; what Redis says against one command is an answer, too."""
    try:
        return await connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


def _unavailable(error: Exception) -> Unavailable:
    # Strangers read the sentence; where Redis is, and how it failed, is for the log.
    logger.debug("Redis did not answer: %r", error)
    return Unavailable("Redis can't be reached: what was asked for may have happened or not, try again.")
