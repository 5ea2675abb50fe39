"""One Redis of the channel layer: a connection for commands, one that reads streams, one that is subscribed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from channels_redis.utils import _close_redis, create_pool
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from fanout.counters import counters
from fanout.layers.pipeline import COMMAND_TIMEOUT, Pipeline
from fanout.layers.reader import Reader
from fanout.layers.refused import refused

if TYPE_CHECKING:
    from collections.abc import Callable

SENTINEL_TIMEOUT = 0.5
"""Seconds for one Sentinel: two of five may be dead, and a command still be answered within COMMAND_TIMEOUT."""
HISTORY_BATCH = 8
"""Reads of streams in one round trip: with READ_BYTES each some 2 MiB, which no Redis needs COMMAND_TIMEOUT for."""


class Shard:
    """The connections to one Redis; opened when they are first used."""

    def __init__(
        self,
        host: dict[str, Any],
        on_message: Callable[[bytes, bytes], None],
        on_lost: Callable[[], None],
        on_back: Callable[[], None],
    ) -> None:
        # The pool holds three connections at most: for commands, for what may take long, and the reader's.
        self._redis = Redis(connection_pool=create_pool(_with_defaults(host)))
        # Plain lists for subscribed messages, and for PONG; a URL may have asked for the third protocol.
        self._redis.connection_pool.connection_kwargs["protocol"] = 2
        self.commands = Pipeline(self._redis.connection_pool, round_trips=counters.round_trips)
        """Publishes, and says everything else that is answered at once."""
        self.history = Pipeline(self._redis.connection_pool, HISTORY_BATCH)
        """Reads streams: who waits for a long answer keeps no publisher waiting."""
        self._on_lost = on_lost
        self.reader = Reader(self._redis.connection_pool, on_message, self._lost, on_back)

    async def publish(self, topic: bytes, payload: bytes) -> None:
        """PUBLISH; return when Redis has taken it. Raise Unavailable."""
        try:
            await self.commands.execute("PUBLISH", topic, payload)
        except RedisError as error:
            raise refused("take the message", error) from error

    def _lost(self) -> None:
        # Whatever the reader's connection was lost for, the others may lead to the same dead or replaced server.
        self.commands.renew()
        self.history.renew()
        self._on_lost()

    async def aclose(self) -> None:
        """Close the connections; they open again when used again."""
        await self.commands.aclose()
        await self.history.aclose()
        await self.reader.aclose()
        await _close_redis(self._redis)
        if isinstance(self._redis.connection_pool, SentinelConnectionPool):
            await self._redis.connection_pool.sentinel_manager.aclose()


def _with_defaults(host: dict[str, Any]) -> dict[str, Any]:
    """Return redis-py's options for a host; what the user has set wins."""
    options = _defaults(COMMAND_TIMEOUT) | host
    if "sentinels" in host:
        options["sentinel_kwargs"] = _defaults(SENTINEL_TIMEOUT) | (host.get("sentinel_kwargs") or {})
    return options


def _defaults(timeout: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        # A retried PUBLISH whose first answer was lost would be delivered twice.
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,
    }
