"""The streams of durable groups within one process, with the contract of those in Redis."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from dataclasses import dataclass, field, replace

from fanout.errors import KeyConflict
from fanout.groups import kind_of
from fanout.history import KEY_WINDOW, META_LIFETIME, READ_BYTES, READ_COUNT, History
from fanout.positions import OtherEpoch, Position, Top
from fanout.publication import Publication  # noqa: TC001 - a field of a dataclass


@dataclass(slots=True)
class _Stream:
    epoch: str = field(default_factory=lambda: secrets.token_hex(6))
    offset: int = 0
    publications: deque[Publication] = field(default_factory=deque)
    size: int = 0
    """Bytes of what is kept."""
    keys: dict[str, tuple[float, bytes, Position]] = field(default_factory=dict)
    """Key → when it ends, data, position."""
    ends: float = 0.0
    """When it is forgotten, in seconds since 1970."""


NOTHING = Top(Position("0", 0))
"""Of a group in which nothing was published: who only looks leaves nothing behind."""


class MemoryStreams:
    """Appends to and reads the streams; they end with the process."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        """The one that was published to last comes last."""
        self._lock = threading.Lock()  # publishers may be of other threads, each with its own event loop

    def append(self, publication: Publication, history: History, key: str | None) -> Publication | Position:
        """Return the publication in its place, or for a repeated key the first one's position."""
        with self._lock:
            return self._append(publication, history, key)

    def top(self, group: str) -> Top:
        """Return the newest position."""
        stream = self._streams.get(group)
        return Top(Position(stream.epoch, stream.offset)) if stream else NOTHING

    def tops(self, kind: str) -> dict[str, Top]:
        """Return the newest position of each group of a kind."""
        with self._lock:
            return {group: self.top(group) for group in self._streams if kind_of(group) == kind}

    def read(self, group: str, after: Position, through: int) -> list[Publication]:
        """Return what is kept behind `after`, up to the offset `through`: as much as a read allows."""
        with self._lock:
            stream = self._streams.get(group)
            epoch, kept = (stream.epoch, tuple(stream.publications)) if stream else (NOTHING.position.epoch, ())
        if epoch != after.epoch:
            raise OtherEpoch(after.epoch)
        first: list[Publication] = []
        size = 0
        for publication in kept:
            if publication.position is not None and after.offset < publication.position.offset <= through:
                size += len(publication.data)
                if first and (size > READ_BYTES or len(first) >= READ_COUNT):
                    break
                first.append(publication)
        return first

    def clear(self) -> None:
        """Forget all streams: new epochs begin."""
        self._streams.clear()

    def _append(self, publication: Publication, history: History, key: str | None) -> Publication | Position:
        now = publication.published_at
        stream = self._streams[publication.group] = self._streams.pop(publication.group, _Stream())
        stream.ends = now + max(META_LIFETIME, history.age)
        while self._streams[oldest := next(iter(self._streams))].ends < now:
            del self._streams[oldest]
        stream.keys = {name: known for name, known in stream.keys.items() if known[0] > now}
        if key is not None and key in stream.keys:
            _, data, position = stream.keys[key]
            if data != publication.data:
                raise KeyConflict
            return position
        stream.offset += 1
        placed = replace(publication, position=Position(stream.epoch, stream.offset))
        stream.publications.append(placed)
        stream.size += len(placed.data)
        if key is not None and placed.position is not None:
            stream.keys[key] = (now + KEY_WINDOW, publication.data, placed.position)
        while _is_over(stream, history, now):
            stream.size -= len(stream.publications.popleft().data)
        return placed


def _is_over(stream: _Stream, history: History, now: float) -> bool:
    """Whether the oldest publication has to go; the newest stays, whatever its size."""
    kept = stream.publications
    is_large = bool(history.bytes) and stream.size > history.bytes and len(kept) > 1
    return is_large or len(kept) > history.size or kept[0].published_at < now - history.age
