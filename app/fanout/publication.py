"""One message of a group, as the hub gets it from the layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    """One message of a group.

    `data` is JSON (UTF-8): encoded once by the publisher, copied into frames by every replica.
    `published_at` is the publisher's wall clock in seconds since the epoch.
    """

    group: str
    data: bytes
    published_at: float


Receiver = Callable[[Publication], None]
"""Called by the layer for each publication, in order, on the event loop; must not block or raise."""
