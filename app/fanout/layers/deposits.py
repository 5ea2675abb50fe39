"""What one process leaves in Redis for the first of all that asks: a ticket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from fanout.layers import scripts
from fanout.layers.refused import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.layers.shard import Shard


class Deposits:
    """Keeps each on the shard of its name."""

    def __init__(self, prefix: str, shard_of: Callable[[str], Shard]) -> None:
        self._prefix = prefix
        self._shard_of = shard_of

    async def deposit(self, name: str, value: bytes, seconds: float) -> None:
        """See FanoutLayer."""
        try:
            await self._shard_of(name).commands.execute("SET", self._key(name), value, "PX", int(seconds * 1000))
        except RedisError as error:
            raise refused("keep a ticket", error) from error

    async def collect(self, name: str) -> bytes | None:
        """See FanoutLayer."""
        try:
            found: bytes | None = await scripts.collect.run(self._shard_of(name).commands, [self._key(name)], [])
        except RedisError as error:
            raise refused("give a ticket", error) from error
        return found

    def _key(self, name: str) -> bytes:
        # The braces are Redis Cluster's hash tag.
        return f"{self._prefix}__deposit__{{{name}}}".encode()
