"""How many sockets a drain closes together, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BATCH_EVERY = 0.05
"""Seconds between two batches: what the others' nginx, handshakes and resumes get to breathe."""
BATCH_LEAST = 20
"""Sockets a batch at least: a small replica needs no ceremony."""
SECONDS = 10.0
"""Seconds in which all are told to go; a rolling restart of N replicas takes N times this and a start."""


def batches(sockets: Sequence[T], seconds: float = SECONDS) -> Iterator[Sequence[T]]:
    """Yield the sockets in as many batches as fit into `seconds`, one every BATCH_EVERY."""
    count = max(1, int(seconds / BATCH_EVERY))
    size = max(BATCH_LEAST, -(-len(sockets) // count))
    for start in range(0, len(sockets), size):
        yield sockets[start : start + size]
