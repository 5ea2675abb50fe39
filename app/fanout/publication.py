"""One message of a group, as the hub gets it from the layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanout.positions import Position


@dataclass(frozen=True, slots=True)
class Publication:
    """One message of a group.

    `data` is JSON (UTF-8): encoded once by the publisher, copied into frames by every replica.
    `published_at` is the publisher's wall clock in seconds since the epoch. `position` is its place in
    the stream of a durable group, None in an ephemeral one. `value_key` says of which value it is the latest,
    in an ephemeral group whose policy names values.
    """

    group: str
    data: bytes
    published_at: float
    position: Position | None = None
    value_key: str | None = None

    @property
    def offset(self) -> int:
        """Its number in the stream; 0 without a place in one."""
        return self.position.offset if self.position else 0


Receiver = Callable[[Publication], None]
"""Called by the layer for each publication, in order, on the event loop; must not block or raise."""
