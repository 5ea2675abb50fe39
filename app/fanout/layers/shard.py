"""One Redis of the channel layer: one connection that publishes, one that is subscribed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from channels_redis.utils import _close_redis, create_pool
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from fanout.errors import Unavailable
from fanout.layers.publisher import Publisher
from fanout.layers.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND_TIMEOUT = 2.0
"""Seconds for a command or a connect: the longest that a publisher waits for a dead Redis."""


class Shard:
    """The connections to one Redis; opened when they are first used."""

    def __init__(
        self,
        host: dict[str, Any],
        on_message: Callable[[bytes, bytes], None],
        on_lost: Callable[[], None],
        on_back: Callable[[], None],
    ) -> None:
        # The pool holds two connections at most: the publisher's and the reader's.
        self._redis = Redis(connection_pool=create_pool(_with_defaults(host)))
        self.publisher = Publisher(self._redis)
        self.reader = Reader(self._redis.connection_pool, on_message, on_lost, on_back)

    async def publish(self, channel: bytes, payload: bytes) -> None:
        """PUBLISH; return when Redis has taken it. Raise Unavailable."""
        try:
            await self.publisher.execute("PUBLISH", channel, payload)
        except RedisError as error:
            raise Unavailable(f"Redis refused the message: {error}") from error

    async def aclose(self) -> None:
        """Close both connections; they open again when used again."""
        await self.publisher.aclose()
        await self.reader.aclose()
        await _close_redis(self._redis)


def _with_defaults(host: dict[str, Any]) -> dict[str, Any]:
    """Return redis-py's options for a host; what the user has set wins."""
    defaults: dict[str, Any] = {
        "socket_timeout": COMMAND_TIMEOUT,
        "socket_connect_timeout": COMMAND_TIMEOUT,
        # A retried PUBLISH whose first answer was lost would be delivered twice.
        "retry": Retry(NoBackoff(), 0),
        # Plain lists for subscribed messages; RESP3 would hand them to a push handler.
        "protocol": 2,
        "driver_info": None,
    }
    if "sentinels" in host:
        defaults["sentinel_kwargs"] = {
            "socket_timeout": COMMAND_TIMEOUT / 2,
            "socket_connect_timeout": COMMAND_TIMEOUT / 2,
        }
    return defaults | host
