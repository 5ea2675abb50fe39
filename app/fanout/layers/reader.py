"""The subscribed connection to one Redis: confirms, notices a dead peer within 2 s, comes back by itself."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import RedisError

from fanout.layers.sentinel import until_replaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio.connection import Connection, ConnectionPool

logger = logging.getLogger(__name__)

PING_AFTER = 1.0
"""Seconds of silence before the reader asks whether Redis is there, and again before it gives up."""
BACKOFF_FIRST = 0.02
"""Seconds before the first new connection: a restarted Redis is back in tens of milliseconds."""
BACKOFF_LIMIT = 1.0
"""Seconds between attempts at most: what an outage adds to itself, with jitter against a stampede."""


class Reader:
    """Keeps a set of Redis channels subscribed and hands on what arrives, in order."""

    def __init__(
        self,
        pool: ConnectionPool,
        on_message: Callable[[bytes, bytes], None],
        on_lost: Callable[[], None],
        on_back: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._on_message = on_message
        self._on_lost = on_lost
        self._on_back = on_back
        self._confirmed: dict[bytes, asyncio.Future[None]] = {}
        self._in_flight: Counter[bytes] = Counter()
        self._commands: list[tuple[str, bytes]] = []
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self._replaced: asyncio.Task[None] | None = None
        self._delay = BACKOFF_FIRST
        self._told = False
        self._closing = False
        self.connected = False

    async def subscribe(self, channel: bytes) -> None:
        """Return when Redis has confirmed the channel; waits as long as Redis is away."""
        confirmed = self._confirmed.get(channel)
        if confirmed is None:
            confirmed = self._confirmed[channel] = asyncio.get_running_loop().create_future()
            self._queue("SUBSCRIBE", channel)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await asyncio.shield(confirmed)

    def unsubscribe(self, channel: bytes) -> None:
        """Leave the channel; does not wait."""
        confirmed = self._confirmed.pop(channel, None)
        if confirmed is not None:
            confirmed.cancel()
            self._queue("UNSUBSCRIBE", channel)

    async def aclose(self) -> None:
        """End the connection and forget every channel."""
        # The flag beside cancel(): before Python 3.12 a wait_for inside redis-py may swallow a cancellation.
        self._closing = True
        for task in (self._task, self._sender):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._task = self._sender = None
        self._closing = False
        for confirmed in self._confirmed.values():
            confirmed.cancel()
        self._confirmed.clear()

    # -- commands ---------------------------------------------------------------------------------

    def _queue(self, command: str, channel: bytes) -> None:
        # Without a connection there is nothing to say: the next one begins with all channels.
        if self._connection is None:
            return
        self._commands.append((command, channel))
        if command == "SUBSCRIBE":
            self._in_flight[channel] += 1
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())

    async def _send(self) -> None:
        try:
            # A broken connection must not be opened here: it would lack the other subscriptions.
            while self._commands and self._connection is not None and self._connection.is_connected:
                commands, self._commands = self._commands, []
                await self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
        except (RedisError, OSError, AttributeError):  # redis-py has no writer when it was closed meanwhile
            logger.debug("the reader's connection broke while sending; it is made anew")
        finally:
            self._sender = None

    # -- the connection -----------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._closing:
            try:
                await self._connect()
                await self._read()
            except Exception as error:
                if not isinstance(error, (RedisError, OSError)):
                    logger.exception("an error that nobody foresaw; the connection is made anew")
                self._lost(error)
            finally:
                await self._drop()
            await asyncio.sleep(self._delay * random.uniform(0.5, 1))  # noqa: S311 - jitter, no secret
            self._delay = min(2 * self._delay, BACKOFF_LIMIT)

    async def _connect(self) -> None:
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        self._connection = connection
        if isinstance(self._pool, SentinelConnectionPool):
            self._replaced = asyncio.create_task(until_replaced(self._pool, connection))
        self._commands.clear()
        self._in_flight = Counter(dict.fromkeys(self._confirmed, 1))
        if self._confirmed:
            subscribe = connection.pack_commands([("SUBSCRIBE", channel) for channel in self._confirmed])
            await connection.send_packed_command(subscribe, check_health=False)

    async def _read(self) -> None:
        """Read until the connection breaks."""
        connection, asked = self._connection, False
        assert connection is not None  # noqa: S101 - _connect has just made it
        while not self._closing:
            if self._replaced is not None and self._replaced.done():
                raise ConnectionError("Sentinel names another master")
            answer = await connection.read_response(timeout=PING_AFTER, disable_decoding=True)
            if answer is not None:
                asked = False
                self._take(answer)
            elif asked:
                raise ConnectionError(f"no answer to PING within {PING_AFTER:g} s")
            else:
                asked = True
                await connection.send_command("PING", check_health=False)

    def _take(self, answer: Any) -> None:
        if isinstance(answer, list):
            self._take_list(answer)
        elif any(confirmed.done() for confirmed in self._confirmed.values()):
            # A plain PONG: to a connection that is subscribed Redis answers in lists.
            raise ConnectionError("the connection is not subscribed any more")
        if not self._in_flight and not self.connected:
            self.connected, self._delay = True, BACKOFF_FIRST
            if self._told:
                self._told = False
                logger.warning("connected to Redis again, %d channels subscribed", len(self._confirmed))
                self._on_back()

    def _take_list(self, answer: list[Any]) -> None:
        kind = answer[0]
        if kind == b"message":
            try:
                self._on_message(answer[1], answer[2])
            except Exception:  # one message must not end the feed of all groups
                logger.exception("left out a message on %r that can't be delivered", answer[1])
        elif kind == b"subscribe":
            self._confirm(answer[1])

    def _confirm(self, channel: bytes) -> None:
        self._in_flight[channel] -= 1
        if self._in_flight[channel] <= 0:  # the answer to the last of several SUBSCRIBE
            del self._in_flight[channel]
            confirmed = self._confirmed.get(channel)
            if confirmed is not None and not confirmed.done():
                confirmed.set_result(None)

    def _lost(self, error: Exception) -> None:
        if self.connected or not self._told:
            logger.warning("no connection to Redis, trying until it is back: %s", error)
            self._told = True
            self._on_lost()
        self.connected = False

    async def _drop(self) -> None:
        if self._replaced is not None:
            self._replaced.cancel()
            self._replaced = None
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)
        loop = asyncio.get_running_loop()
        for channel, confirmed in self._confirmed.items():
            if confirmed.done():
                self._confirmed[channel] = loop.create_future()
