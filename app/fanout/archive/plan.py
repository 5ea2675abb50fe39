"""What a group's stream holds that the archive does not: pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fanout.positions import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanout.positions import Top
    from fanout.publication import Publication


@dataclass(frozen=True, slots=True)
class Copy:
    """What is to be written for one group, in one transaction."""

    group: str
    before: Position | None
    """How far the archive was when this was read; None: it knew nothing of the group."""
    through: Position
    """How far it is behind this."""
    publications: Sequence[Publication]
    """Each at the position of its own epoch."""
    lost: int
    """Publications between the two that the stream has no more, or that can't be read."""
    complete: bool
    """Whether the stream had nothing behind it."""


def start_of(copied: Position | None, top: Top) -> int:
    """Return the offset behind which the stream `top` is new to an archive that has come as far as `copied`."""
    if copied is None:
        return 0
    if (after := top.translate(copied)) is not None:
        return after
    if copied.epoch == top.position.epoch:
        return top.position.offset
    # Past what survived of its epoch: all that did survive was copied. Of another stream: everything is new. (A stream
    # remembers 16 epochs; the worker looks at each group whenever it starts or Redis comes back, and so keeps up.)
    return top.past.get(copied.epoch, 0)


def copy_of(group: str, copied: Position | None, top: Top, after: int, read: Sequence[Publication]) -> Copy:
    """Return what to write, `read` being what the stream had first behind the offset `after`."""
    placed = [replace(each, position=top.at(each.offset)) for each in read]  # in the epoch that each was published in
    # With nothing left to read, what is missing was trimmed before it could be copied.
    end = placed[-1].offset if placed else top.position.offset
    return Copy(
        group=group,
        before=copied,
        through=Position(top.position.epoch, end),
        publications=placed,
        lost=end - after - len(placed),
        complete=end >= top.position.offset,
    )
