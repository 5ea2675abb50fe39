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


KEY_WINDOW = 300.0
"""Seconds in which a repeated idempotency key is the same publication: longer than any client keeps retrying."""
META_LIFETIME = 7 * 24 * 3600.0
"""Seconds after the last publication in which a group remembers its epoch: past any history's age."""
READ_BYTES = 256 * 1024
"""Bytes of a stream that one read returns at most, but for a single larger publication: what one answer of Redis takes
from others, and what a process holds of it."""
READ_COUNT = 256
"""Publications that one read returns at most: small ones cost their number, not their bytes."""
