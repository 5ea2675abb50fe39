"""What a process has at hand of one durable group's stream for those who come back: bounded in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanout.history import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanout.publication import Publication

LIMIT = 2 * READ_BYTES
"""Bytes of the newest, and again of what was read last: what a read returned is there whole."""
OVERHEAD = 400
"""Bytes that a publication takes beside its data."""


class Tail:
    """The newest publications, and what was last read of the older ones."""

    def __init__(self) -> None:
        self._newest = _Shelf()
        self._read = _Shelf()

    def add(self, publication: Publication) -> None:
        """Keep the newest publication."""
        self._newest.put(publication)

    def keep(self, publications: Iterable[Publication]) -> None:
        """Keep what was read from the stream."""
        for publication in publications:
            self._read.put(publication)

    def clear(self) -> None:
        """Forget everything: its place in the stream has changed."""
        self._newest.clear()
        self._read.clear()

    def find(self, offset: int) -> Publication | None:
        """Return the publication with this offset, if it is at hand."""
        return self._newest.get(offset) or self._read.get(offset)

    def run(self, first: int, last: int, size: int) -> list[Publication]:
        """Return the publications from one offset to another that are at hand without a hole.

        As many as fit `size` bytes, at least one; none if the first is not at hand.
        """
        return unbroken(map(self.find, range(first, last + 1)), first, size)


def unbroken(publications: Iterable[Publication | None], first: int, size: int) -> list[Publication]:
    """Return those from the offset `first` on, up to a hole; as many as fit `size` bytes, at least one."""
    run: list[Publication] = []
    for publication in publications:
        if publication is None or publication.offset != first + len(run):
            break
        size -= len(publication.data)
        if run and size < 0:
            break
        run.append(publication)
    return run


class _Shelf(dict[int, "Publication"]):
    """Publications by offset; when they are too many, those that were put first go."""

    _size = 0

    def put(self, publication: Publication) -> None:
        if (known := self.pop(publication.offset, None)) is not None:
            self._size -= _weight(known)
        self[publication.offset] = publication
        self._size += _weight(publication)
        while self._size > LIMIT and len(self) > 1:
            self._size -= _weight(self.pop(next(iter(self))))

    def clear(self) -> None:
        super().clear()
        self._size = 0


def _weight(publication: Publication) -> int:
    return len(publication.data) + OVERHEAD
