"""The streams of durable groups in Redis: one script a publication, reads behind a position."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from fanout.errors import KeyConflict
from fanout.groups import kind_of
from fanout.history import BACKLOG, BACKLOG_BYTES, KEY_WINDOW, META_LIFETIME, READ_BYTES, READ_COUNT
from fanout.layers import envelope, scripts
from fanout.layers.refused import refused
from fanout.positions import OtherEpoch, Position, Top, parse_past
from fanout.sparse_log import SparseLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from fanout.history import History
    from fanout.layers.envelope import Serializer
    from fanout.layers.shard import Shard
    from fanout.publication import Publication

logger = logging.getLogger(__name__)

META_FIELDS = ("epoch", "offset", "past")
ENVELOPE = envelope.MARKER + bytes((envelope.DURABLE,))
SCAN_COUNT = 500
"""Keys that Redis looks at in one step of a walk through all of them: some 0.2 ms."""
GLOB = re.compile(rb"[\\*?\[\]^]")
"""What a pattern of Redis takes for more than itself."""


class Streams:
    """Appends to and reads the streams; each group lives on one shard, its keys share one hash tag."""

    def __init__(
        self, prefix: str, shard_of: Callable[[str], Shard], serializer: Serializer, shards: Sequence[Shard]
    ) -> None:
        self._prefix = prefix
        self._shard_of = shard_of
        self._serializer = serializer
        self._shards = shards
        self._log = SparseLog(logger)  # a client has a stream read by each join
        self.archive_topic = f"{prefix}__archive__".encode()
        """The topic, on each shard, on which appends tell the archive their group."""

    async def append(self, group: str, topic: bytes, data: bytes, history: History, key: str | None) -> Position:
        """See FanoutLayer."""
        body = envelope.encode_body(data, time.time(), self._serializer)
        digest = hashlib.blake2b(data, digest_size=16).hexdigest() if key else ""
        answer = await self._run(
            scripts.append,
            group,
            [self._key("meta", group), self._key("stream", group), self._key("key", group, key or "")],
            [
                topic, body, history.size, int(history.age * 1000), _new_epoch(),
                int(KEY_WINDOW * 1000) if key else 0, digest, int(max(META_LIFETIME, history.age) * 1000), ENVELOPE,
                BACKLOG if history.archived else 0, self.archive_topic, group, history.bytes, BACKLOG_BYTES,
            ],
        )  # fmt: skip
        if answer[0] == b"conflict":
            raise KeyConflict
        return Position(answer[1].decode(), int(answer[2]))

    async def top(self, group: str) -> Top:
        """See FanoutLayer."""
        keys = [self._key("meta", group), self._key("stream", group)]
        epoch, offset, past = await self._run(scripts.position, group, keys, [_new_epoch(), int(META_LIFETIME * 1000)])
        return Top(Position(epoch.decode(), int(offset)), parse_past(past.decode()))

    async def tops(self, kind: str) -> dict[str, Top]:
        """See FanoutLayer."""
        found: dict[str, Top] = {}
        for shard in self._shards:
            async for groups in self._pages(shard, kind):
                asked = [group for group in groups if kind_of(group) == kind]
                commands = (self._ask(shard, "HMGET", self._key("meta", group), *META_FIELDS) for group in asked)
                for group, (epoch, offset, past) in zip(asked, await asyncio.gather(*commands), strict=True):
                    if epoch is not None:  # else it has expired since
                        found[group] = Top(Position(epoch.decode(), int(offset)), parse_past((past or b"").decode()))
        return found

    async def read(self, group: str, after: Position, through: int) -> list[Publication]:
        """See FanoutLayer."""
        keys = [self._key("meta", group), self._key("stream", group)]
        limits = [after.offset + 1, through, READ_BYTES, READ_COUNT]
        arguments = [_new_epoch(), int(META_LIFETIME * 1000), after.epoch, *limits]
        entries = await self._run(scripts.read, group, keys, arguments)
        if entries is None:
            raise OtherEpoch(after.epoch)
        return list(self._publications(group, after.epoch, entries))

    async def archived(self, group: str, through: Position, history: History) -> None:
        """See RedisChannelLayer."""
        keys = [self._key("meta", group), self._key("stream", group)]
        kept = [history.size, int(history.age * 1000), history.bytes]
        arguments = [_new_epoch(), through.epoch, through.offset, *kept]
        await self._run(scripts.archived, group, keys, arguments)

    async def groups(self, shard: Shard) -> AsyncIterator[str]:
        """Yield each durable group of a shard, some perhaps twice. Raise Unavailable."""
        async for groups in self._pages(shard):
            for group in groups:
                yield group

    async def _pages(self, shard: Shard, beginning: str = "") -> AsyncIterator[list[str]]:
        """Yield the groups whose name has this beginning, as many as one step of Redis' walk finds."""
        head = self._key("meta", "").removesuffix(b"}")
        pattern, cursor = GLOB.sub(rb"\\\g<0>", head + beginning.encode()) + b"*", b"0"
        while True:
            cursor, keys = await self._ask(shard, "SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT)
            yield [key.removeprefix(head).partition(b"}")[0].decode() for key in keys]
            if cursor == b"0":
                return

    def _publications(self, group: str, epoch: str, entries: list[Any]) -> Iterator[Publication]:
        for name, fields in entries:
            position = Position(epoch, int(name.partition(b"-")[0]))
            body = dict(zip(fields[::2], fields[1::2], strict=True)).get(b"b")  # a newer replica may add fields
            # What is left out leaves a gap, which is told to clients as a reset.
            if body is None:
                self._log.warning(
                    "left out %d of %s: a newer replica wrote it in a way of its own; finish the deploy",
                    position.offset,
                    group,
                )
                continue
            try:
                yield envelope.decode_body(group, body, self._serializer, position)
            except Exception as error:  # noqa: BLE001 - whatever a serializer raises for bytes, or a key, unknown to it
                self._log.warning("left out %d of %s: it can't be read", position.offset, group, error=error)

    def _key(self, kind: str, group: str, suffix: str = "") -> bytes:
        # The braces are Redis Cluster's hash tag.
        return f"{self._prefix}__{kind}__{{{group}}}{suffix}".encode()

    @staticmethod
    async def _ask(shard: Shard, *command: Any) -> Any:
        try:
            return await shard.history.execute(*command)
        except RedisError as error:
            raise refused("say which streams there are", error) from error

    async def _run(self, script: scripts.Script, group: str, keys: list[bytes], arguments: list[Any]) -> Any:
        try:
            shard = self._shard_of(group)
            return await script.run(shard.history if script is scripts.read else shard.commands, keys, arguments)
        except RedisError as error:
            raise refused(f"do what was asked of the stream of {group}", error) from error


def _new_epoch() -> str:
    return secrets.token_hex(6)
