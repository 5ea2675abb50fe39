"""Positions in a group's stream, and what can be recovered behind one: pure, without socket or clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

OFFSET_LIMIT = 2**53 - 1
"""The integers that JavaScript can count; at 1,000 publications a second it lasts 285,000 years."""
EPOCH = re.compile(r"[A-Za-z0-9]{1,32}")


@dataclass(frozen=True, slots=True, order=False)
class Position:
    """The place behind a publication: `Position("f3a9", 7)` has seen offsets 1 to 7 of epoch f3a9.

    A new epoch begins whenever the stream could have lost or reused offsets. Without epochs: 1 to 3 are lost, four
    others are published as 1 to 4, and who has seen the old 3 is sent the new 4 alone, as if that were all.
    Offsets go on across epochs where the stream survived: behind f3a9's last surviving offset 7 the next epoch begins
    with 8.
    """

    epoch: str
    offset: int


class OtherEpoch(Exception):
    """The stream is in another epoch by now than the one that was asked for (`args[0]`)."""


@dataclass(frozen=True, slots=True)
class Top:
    """A group's newest position, and the last surviving offset of each older epoch it remembers."""

    position: Position
    past: dict[str, int] = field(default_factory=dict)
    """Newest first: each lives on in the epochs after it up to its last offset."""

    def at(self, offset: int) -> Position:
        """Return the position behind the publication with this offset, in the oldest epoch that has it.

        In a younger one it would be worthless if a failure took that epoch's beginning with it.
        """
        older = [epoch for epoch, last in self.past.items() if offset <= last]
        return Position(older[-1] if older else self.position.epoch, offset)

    def moved_to(self, offset: int) -> Top:
        """Return the same stream, delivered up to another offset."""
        return Top(Position(self.position.epoch, offset), self.past)

    def translate(self, position: Position) -> int | None:
        """Return the offset in the current stream that `position` stands for; None if it stands for none.

        None means that something behind the position, or the position itself, is not in this stream:
        it comes from another epoch, from past the survivors of an older one, or from the future. The
        beginning is in every stream.
        """
        if position.offset == 0:
            return 0
        last = self.position.offset if position.epoch == self.position.epoch else self.past.get(position.epoch)
        return position.offset if last is not None and position.offset <= last else None


def parse_past(text: str) -> dict[str, int]:
    """Return the older epochs of a `past` field, "epoch:offset,…", newest first."""
    items = (item.partition(":") for item in text.split(",") if item)
    return {epoch: int(offset) for epoch, _, offset in items}
