"""A group that a client wants to be in, whatever the connection does: its position, and a verdict on each frame.

Durable: every publication once, in order, or a Reset. Ephemeral: what comes is what there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanout.client.events import Joined, Publication, Reset
from fanout.positions import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanout.client.events import Event
    from fanout.client.frames import JoinedFrame, Published, ResetFrame

LOST = "lost"
"""The reason of a Reset that the client itself finds due, as PROTOCOL.md explains it."""


class Membership:
    """One group. `epoch` and `offset` are the position behind the last publication that was handed out."""

    __slots__ = ("ephemeral", "epoch", "group", "joined", "last", "offset", "recovering")

    def __init__(self, group: str, since: Position | None = None, last: int = 0) -> None:
        self.group = group
        self.last = last
        """How many older publications a join without a position asks for."""
        self.epoch = since.epoch if since else None
        self.offset = since.offset if since else 0
        self.ephemeral = False
        """As the last `joined` said."""
        self.joined = False
        """On this connection; nothing of the group is heard before."""
        self.recovering = 0
        """Recovered publications still to come."""

    @property
    def position(self) -> Position | None:
        """The position; None in an ephemeral group, and before the first answer."""
        return None if self.epoch is None else Position(self.epoch, self.offset)

    def enter(self, frame: JoinedFrame) -> Sequence[Event]:
        """Take the server's answer to a join."""
        self.joined = True
        end = frame.position
        self.ephemeral = end is None
        if end is None:
            self.epoch, self.recovering = None, 0
            return (Joined(self.group, frame.replica, reset=frame.reset),)
        told = Joined(self.group, frame.replica, end, frame.recovered, frame.reset)
        start = end.offset - frame.recovered
        # What was published before a first join is nothing that we missed.
        had = start if self.epoch is None else self.offset
        whole = frame.reset is None and start <= had <= end.offset
        # What is recovered tells its own epochs; until then the position is what it was.
        if self.epoch is None or not whole or not frame.recovered:
            self.epoch = end.epoch
        self.offset, self.recovering = had if whole else start, frame.recovered
        return (told,) if whole else (told, Reset(self.group, Position(end.epoch, start), frame.reset or LOST))

    def take(self, frame: Published) -> Sequence[Event] | None:
        """Return what a publication comes to: itself if it is the next one, nothing if it is known.

        None when there is a gap before it: join again, and the server fills it or tells a reset.
        """
        epoch, offset = frame.epoch, frame.offset
        if self.recovering:
            return self._recover(frame)
        if self.epoch is None or epoch is None or offset is None:
            return (Publication(frame.group, frame.data),)
        # Offsets go on across epochs where nothing was lost; where something was, a reset comes first.
        if offset == self.offset + 1:
            self.epoch, self.offset = epoch, offset
            return (Publication(frame.group, frame.data, epoch, offset),)
        return () if epoch == self.epoch and offset <= self.offset else None

    def _recover(self, frame: Published) -> Sequence[Event]:
        """Deal with one of the recovered publications; it carries the epoch in which it was made."""
        self.recovering -= 1
        offset, at, epoch = frame.offset, self.offset, frame.epoch
        if offset is None or epoch is None or offset <= at:
            return ()
        self.epoch, self.offset = epoch, offset
        publication = Publication(frame.group, frame.data, epoch, offset, recovered=True)
        if offset > at + 1:
            return Reset(self.group, Position(epoch, offset - 1), LOST), publication
        return (publication,)

    def reset(self, frame: ResetFrame) -> Sequence[Event]:
        """Go on behind the position that the server tells."""
        self.epoch, self.offset, self.recovering = frame.epoch, frame.offset, 0
        return (Reset(self.group, Position(frame.epoch, frame.offset), frame.reason),)
