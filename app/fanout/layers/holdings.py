"""Connections by subject in Redis: what each process holds. All of it is on one shard."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from fanout.layers import scripts
from fanout.layers.refused import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fanout.layers.shard import Shard

CHUNK = 1000
"""Subjects of one call: Redis does nothing else meanwhile, for some 0.5 ms."""


class Holdings:
    """Keeps and sums them."""

    def __init__(self, prefix: str, shard_of: Callable[[str], Shard]) -> None:
        # The braces are Redis Cluster's hash tag.
        self._holders = f"{prefix}__{{holders}}".encode()
        self._head = f"{prefix}__{{holders}}held."
        self._shard_of = shard_of

    async def claim(self, process: str, subject: str, own: int, limit: int, stale_after: float) -> bool:
        """See FanoutLayer."""
        arguments = [process, self._head, int(stale_after * 1000), subject, own, limit]
        return bool(await self._run(scripts.claim, process, arguments))

    async def hold(self, process: str, counts: Mapping[str, int], stale_after: float) -> int:
        """See FanoutLayer."""
        rest, known = iter(counts.items()), 0
        while True:
            part = list(islice(rest, CHUNK))
            pairs = [word for pair in part for word in pair]
            known = int(await self._run(scripts.hold, process, [process, int(stale_after * 1000), *pairs]))
            if len(part) < CHUNK:
                return known

    async def _run(self, script: scripts.Script, process: str, arguments: list[Any]) -> Any:
        try:
            keys = [self._holders, f"{self._head}{process}".encode()]
            return await script.run(self._shard_of("holders").commands, keys, arguments)
        except RedisError as error:
            raise refused("count connections", error) from error
