"""What a durable group keeps, and the idempotency of its publications."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class History:
    """How much of a durable group's stream is kept: whichever bound is reached first."""

    size: int = 1000
    """Publications."""
    age: float = 24 * 3600
    """Seconds."""
    bytes: int = 4 * 1024 * 1024
    """Of its publications' JSON, without what Redis needs beside it; the newest stays, whatever its size. Several times
    what may wait for a slow client, which is cut off and comes back for the rest. 0: no bound."""
    archived: bool = False
    """Whether the worker copies each publication to the database (`fanout.archive`); what it has not copied yet is
    kept, up to BACKLOG and BACKLOG_BYTES. The layer in memory has no archive."""


KEY_WINDOW = 300.0
"""Seconds in which a repeated idempotency key is the same publication: longer than any client keeps retrying."""
META_LIFETIME = 7 * 24 * 3600.0
"""Seconds after the last publication in which a group remembers its epoch: past any history's age."""
BACKLOG = 50_000
"""Publications of a group that wait for the archive at most: an hour without a worker at fourteen a second. Past that
the oldest go, and the worker says how many."""
BACKLOG_BYTES = 32 * 1024 * 1024
"""Bytes of a group that wait for the archive at most: BACKLOG of 670 bytes each, and an eighth of a Redis of 256 MB."""
READ_BYTES = 256 * 1024
"""Bytes of a stream that one read returns at most, but for a single larger publication: what one answer of Redis takes
from others, and what a process holds of it."""
READ_COUNT = 256
"""Publications that one read returns at most: small ones cost their number, not their bytes."""
