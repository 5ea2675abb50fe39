"""The subscribed connection to one Redis: confirms, notices a dead peer within 2 s, comes back by itself."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import RedisError

from fanout.counters import counters
from fanout.layers.sentinel import until_replaced
from fanout.layers.wire import Wire, pack

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio.connection import ConnectionPool

logger = logging.getLogger(__name__)

PING_AFTER = 1.0
"""Seconds of silence before the reader asks whether Redis is there, and again before it gives up."""
BACKOFF_FIRST = 0.02
"""Seconds before the first new connection: a restarted Redis is back in tens of milliseconds."""
BACKOFF_LIMIT = 1.0
"""Seconds between attempts at most: what an outage adds to itself, with jitter against a stampede."""


class Reader:
    """Keeps a set of topics (channels, as Redis calls them) subscribed and hands on what arrives, in order."""

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
        self._commands: list[bytes] = []
        self._wire: Wire | None = None
        self._broken: asyncio.Future[Exception] | None = None
        """Done when the connection is lost, and why."""
        self._task: asyncio.Task[None] | None = None
        self._replaced: asyncio.Task[None] | None = None
        self._delay = BACKOFF_FIRST
        self._told = False
        self._closing = False
        self.connected = False

    async def subscribe(self, topic: bytes) -> None:
        """Return when Redis has confirmed the topic; waits as long as Redis is away."""
        confirmed = self._confirmed.get(topic)
        if confirmed is None:
            confirmed = self._confirmed[topic] = asyncio.get_running_loop().create_future()
            self._queue("SUBSCRIBE", topic)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await asyncio.shield(confirmed)

    def unsubscribe(self, topic: bytes) -> None:
        """Leave the topic; does not wait."""
        confirmed = self._confirmed.pop(topic, None)
        if confirmed is not None:
            confirmed.cancel()
            self._queue("UNSUBSCRIBE", topic)

    async def aclose(self) -> None:
        """End the connection and forget every topic."""
        # The flag beside cancel(): before Python 3.12 a wait_for inside redis-py may swallow a cancellation.
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self._closing = False
        for confirmed in self._confirmed.values():
            confirmed.cancel()
        self._confirmed.clear()

    # -- commands ---------------------------------------------------------------------------------

    def _queue(self, command: str, topic: bytes) -> None:
        # Without a connection there is nothing to say: the next one begins with all topics.
        if self._wire is None:
            return
        if not self._commands:  # those of one turn of the loop leave together
            asyncio.get_running_loop().call_soon(self._send)
        self._commands.append(pack(command, topic))
        if command == "SUBSCRIBE":
            self._in_flight[topic] += 1

    def _send(self) -> None:
        commands, self._commands = self._commands, []
        if self._wire is not None:
            self._wire.send(b"".join(commands))

    # -- the connection -----------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._closing:
            try:
                await self._connect()
                await self._watch()
            except Exception as error:
                if not isinstance(error, (RedisError, OSError)):
                    logger.exception("an error that nobody foresaw; the connection is made anew")
                self._lost(error)
            finally:
                await self._drop()
            await asyncio.sleep(self._delay * random.uniform(0.5, 1))  # noqa: S311 - jitter, no secret
            self._delay = min(2 * self._delay, BACKOFF_LIMIT)

    async def _connect(self) -> None:
        self._broken = asyncio.get_running_loop().create_future()
        wire = Wire(self._pool, self._take, self._broken.set_result)
        await wire.open()
        self._wire = wire
        if isinstance(self._pool, SentinelConnectionPool):
            self._replaced = asyncio.create_task(until_replaced(self._pool, wire.connection))
        self._commands.clear()
        self._in_flight = Counter(dict.fromkeys(self._confirmed, 1))
        wire.send(b"".join([pack("SUBSCRIBE", topic) for topic in self._confirmed]))

    async def _watch(self) -> None:
        """Raise when the connection breaks, or is silent for too long; what arrives meanwhile goes to `_take`."""
        wire, broken, loop = self._wire, self._broken, asyncio.get_running_loop()
        assert wire is not None  # noqa: S101 - _connect has just made it
        assert broken is not None  # noqa: S101 - likewise
        ends: list[asyncio.Future[Any]] = [broken] if self._replaced is None else [broken, self._replaced]
        asked_at = float("-inf")
        while not self._closing:
            silent_at = max(wire.heard_at, asked_at) + PING_AFTER
            await asyncio.wait(ends, timeout=max(silent_at - loop.time(), 0), return_when=asyncio.FIRST_COMPLETED)
            if broken.done():
                raise broken.result()
            if self._replaced is not None and self._replaced.done():
                raise ConnectionError("Sentinel names another master")
            if loop.time() < max(wire.heard_at, asked_at) + PING_AFTER:
                continue
            if asked_at > wire.heard_at:
                raise ConnectionError(f"no answer to PING within {PING_AFTER:g} s")
            asked_at = loop.time()
            wire.send(pack("PING"))

    def _take(self, answer: Any) -> None:
        if isinstance(answer, list):
            self._take_list(answer)
        elif isinstance(answer, Exception):  # it loads its data, or refuses a topic
            raise answer
        elif any(confirmed.done() for confirmed in self._confirmed.values()):
            # A plain PONG: to a connection that is subscribed Redis answers in lists.
            raise ConnectionError("the connection is not subscribed any more")
        if not self._in_flight and not self.connected:
            self.connected, self._delay = True, BACKOFF_FIRST
            if self._told:
                self._told = False
                counters.reconnects += 1
                logger.warning("connected to Redis again, %d topics subscribed", len(self._confirmed))
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

    def _confirm(self, topic: bytes) -> None:
        self._in_flight[topic] -= 1
        if self._in_flight[topic] <= 0:  # the answer to the last of several SUBSCRIBE
            del self._in_flight[topic]
            confirmed = self._confirmed.get(topic)
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
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()
        loop = asyncio.get_running_loop()
        for topic, confirmed in self._confirmed.items():
            if confirmed.done():
                self._confirmed[topic] = loop.create_future()
