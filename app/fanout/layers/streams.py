"""The streams of durable groups in Redis: one script a publication, reads behind a position."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from fanout.errors import KeyConflict, Unavailable
from fanout.history import KEY_WINDOW, META_LIFETIME, READ_BYTES, READ_COUNT
from fanout.layers import envelope, scripts
from fanout.positions import OtherEpoch, Position, Top, parse_past
from fanout.sparse_log import SparseLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanout.history import History
    from fanout.layers.envelope import Serializer
    from fanout.layers.shard import Shard
    from fanout.publication import Publication

logger = logging.getLogger(__name__)

ENVELOPE = envelope.MARKER + bytes((envelope.DURABLE,))


class Streams:
    """Appends to and reads the streams; each group lives on one shard, its keys share one hash tag."""

    def __init__(self, prefix: str, shard_of: Callable[[str], Shard], serializer: Serializer) -> None:
        self._prefix = prefix
        self._shard_of = shard_of
        self._serializer = serializer
        self._log = SparseLog(logger)  # a client has a stream read by each join

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
            ],
        )  # fmt: skip
        if answer[0] == b"conflict":
            raise KeyConflict("This key was used with other data in the last five minutes: choose a new one.")
        return Position(answer[1].decode(), int(answer[2]))

    async def top(self, group: str) -> Top:
        """See FanoutLayer."""
        keys = [self._key("meta", group), self._key("stream", group)]
        epoch, offset, past = await self._run(scripts.position, group, keys, [_new_epoch(), int(META_LIFETIME * 1000)])
        return Top(Position(epoch.decode(), int(offset)), parse_past(past.decode()))

    async def read(self, group: str, after: Position, through: int) -> list[Publication]:
        """See FanoutLayer."""
        keys = [self._key("meta", group), self._key("stream", group)]
        limits = [after.offset + 1, through, READ_BYTES, READ_COUNT]
        arguments = [_new_epoch(), int(META_LIFETIME * 1000), after.epoch, *limits]
        entries = await self._run(scripts.read, group, keys, arguments)
        if entries is None:
            raise OtherEpoch(after.epoch)
        return list(self._publications(group, after.epoch, entries))

    def _publications(self, group: str, epoch: str, entries: list[Any]) -> Iterator[Publication]:
        for name, fields in entries:
            position = Position(epoch, int(name.partition(b"-")[0]))
            body = dict(zip(fields[::2], fields[1::2], strict=True)).get(b"b")  # a newer replica may add fields
            # What is left out leaves a hole, which is told to clients as a reset.
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

    async def _run(self, script: scripts.Script, group: str, keys: list[bytes], arguments: list[Any]) -> Any:
        try:
            shard = self._shard_of(group)
            return await script.run(shard.history if script is scripts.read else shard.publisher, keys, arguments)
        except RedisError as error:
            raise Unavailable(f"Redis refused what was asked of the stream of {group}: {error}") from error


def _new_epoch() -> str:
    return secrets.token_hex(6)
