"""What a publication of the proof says: who made it, the how manyth it is, when, and on which replica."""

from __future__ import annotations

from typing import NamedTuple

MARK = "proof"
FIELDS = 5
FILL, END = "x", "."
"""What follows the fields: a text that was cut short or changed there is none of ours any more."""


class Said(NamedTuple):
    """The content of one publication."""

    publisher: str
    seq: int
    """1, 2, 3 … of this publisher."""
    sent: int
    """Microseconds of the master's clock: when it was to leave."""
    replica: str
    """The replica to which the publisher was connected."""


def write(said: Said, size: int) -> str:
    """Return the text of a publication, filled up to `size` characters."""
    return f"{MARK} {said.publisher} {said.seq} {said.sent} {said.replica} ".ljust(size - len(END), FILL) + END


def read(text: str) -> Said | None:
    """Return what a text says; None for one that the proof did not write, or not like this."""
    parts = text.split(" ", FIELDS)
    if parts[0] != MARK or len(parts) <= FIELDS or parts[FIELDS].lstrip(FILL) != END:
        return None
    try:
        return Said(parts[1], int(parts[2]), int(parts[3]), parts[4])
    except ValueError:
        return None
