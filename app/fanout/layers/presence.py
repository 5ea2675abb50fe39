"""Presence in Redis: what each process says of its members, and which processes live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from fanout.layers import envelope, scripts
from fanout.layers.refused import refused
from fanout.presence.view import PART_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.layers.envelope import Serializer
    from fanout.layers.shard import Shard
    from fanout.presence.view import Part

FORGET_AFTER = 60.0
"""Seconds after its last beat that a process is still on record."""


class Presence:
    """Keeps and reads parts; a group's are on its shard, the beats of all processes on one."""

    def __init__(self, prefix: str, shard_of: Callable[[str], Shard], serializer: Serializer) -> None:
        self._prefix = prefix
        self._shard_of = shard_of
        self._serializer = serializer

    async def announce(self, group: str, topic: bytes, part: Part) -> None:
        """See FanoutLayer."""
        await self._run(
            scripts.announce,
            group,
            self._key(group),
            [
                topic, part.process, part.number, envelope.encode_part(part, self._serializer), envelope.PART_HEAD,
                int(PART_LIFETIME * 1000),
            ],
        )  # fmt: skip

    async def presence(self, group: str) -> list[Part]:
        """See FanoutLayer."""
        try:
            kept = await self._shard_of(group).commands.execute("HVALS", self._key(group))
        except RedisError as error:
            raise refused(f"tell who is in {group}", error) from error
        return [envelope.decode_part(value.partition(b":")[2], self._serializer) for value in kept]

    async def forget(self, group: str, part: Part) -> None:
        """See FanoutLayer."""
        await self._run(scripts.forget, group, self._key(group), [part.process, part.number])

    async def beat(self, process: str, stale_after: float) -> set[str]:
        """See FanoutLayer."""
        key = f"{self._prefix}__fleet__".encode()
        limits = [int(stale_after * 1000), int(FORGET_AFTER * 1000)]
        answer = await self._run(scripts.beat, key.decode(), key, [process, *limits])
        return {name.decode() for name in answer}

    def _key(self, group: str) -> bytes:
        # The braces are Redis Cluster's hash tag.
        return f"{self._prefix}__presence__{{{group}}}".encode()

    async def _run(self, script: scripts.Script, shard: str, key: bytes, arguments: list[Any]) -> Any:
        try:
            return await script.run(self._shard_of(shard).commands, [key], arguments)
        except RedisError as error:
            raise refused("keep who is there", error) from error
