"""What one receiver got of one group: where it stands, and what was wrong; no list of what was right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = 10_000
"""Anomalies of one receiver that are kept by name; past that a run is beyond doubt broken."""


@dataclass(slots=True)
class Stay:
    """A part of a receiver's time, on one replica: it must have got what lies in (behind, upto]."""

    replica: str
    behind: int
    upto: int = 0


@dataclass(slots=True)
class OffsetTrack:
    """A receiver of a durable group: offsets have no holes, so the next one is all it has to know."""

    expected: int = 0
    """The offset that comes next; 0 before the first join."""
    epoch: str = ""
    places: list[tuple[str, str]] = field(default_factory=list)
    """Replica and epoch, wherever one of them changed: replicas that share no epoch share no stream."""
    stays: list[Stay] = field(default_factory=list)
    holes: list[tuple[int, int]] = field(default_factory=list)
    """First and last offset of what was passed over and did not come later."""
    doubled: list[int] = field(default_factory=list)
    disordered: list[int] = field(default_factory=list)
    resets: list[str] = field(default_factory=list)

    def join(self, replica: str, epoch: str, behind: int) -> None:
        """Go on on a replica, behind an offset that is the position of the first join."""
        if not self.expected:
            self.expected = behind + 1
        self.leave()
        self.stays.append(Stay(replica, self.expected - 1))
        self.enter(epoch)

    def enter(self, epoch: str) -> None:
        """Go on in an epoch, on the replica of this stay."""
        self.epoch = epoch
        if self.stays:
            self.places.append((self.stays[-1].replica, epoch))

    def leave(self) -> None:
        """The connection is over."""
        if self.stays:
            self.stays[-1].upto = self.expected - 1

    def take(self, offset: int) -> None:
        """Judge one publication."""
        if offset == self.expected:
            self.expected += 1
        elif offset > self.expected:
            self.holes.append((self.expected, offset - 1))
            self.expected = offset + 1
        elif not self._fill(offset) and len(self.doubled) < KEPT:
            self.doubled.append(offset)

    def reset(self, reason: str, epoch: str, offset: int) -> None:
        """Something behind the position is lost: go on behind another one."""
        self.resets.append(reason)
        if offset >= self.expected:
            self.holes.append((self.expected, offset))
        self.expected = offset + 1
        self.enter(epoch)

    def _fill(self, offset: int) -> bool:
        """Return whether it comes late, into a hole."""
        for number, (first, last) in enumerate(self.holes):
            if first <= offset <= last:
                parts = ((first, offset - 1), (offset + 1, last))
                self.holes[number : number + 1] = [part for part in parts if part[0] <= part[1]]
                self.disordered.append(offset)
                return True
        return False


@dataclass(slots=True)
class Heard:
    """What a receiver without offsets got of one publisher."""

    first: int
    last: int
    holes: list[tuple[int, int]] = field(default_factory=list)
    doubled: int = 0
    disordered: int = 0

    @property
    def count(self) -> int:
        """How many came; of latest values those that were superseded count as well."""
        return self.last - self.first + 1 - sum(last - first + 1 for first, last in self.holes) + self.doubled

    def take(self, seq: int, *, latest: bool) -> None:
        """Judge one publication; where only the `latest` value counts, what is passed over is superseded."""
        if seq == self.last + 1:
            self.last = seq
        elif seq > self.last:
            if not latest:
                self.holes.append((self.last + 1, seq - 1))
            self.last = seq
        elif seq == self.last or not self._fill(seq, latest=latest):
            self.doubled += 1

    def _fill(self, seq: int, *, latest: bool) -> bool:
        if latest or seq < self.first:  # an older one after a newer one
            if not latest and seq + 1 < self.first:
                self.holes.append((seq + 1, self.first - 1))
            self.first = min(self.first, seq)
            self.disordered += 1
            return True
        for number, (first, last) in enumerate(self.holes):
            if first <= seq <= last:
                parts = ((first, seq - 1), (seq + 1, last))
                self.holes[number : number + 1] = [part for part in parts if part[0] <= part[1]]
                self.disordered += 1
                return True
        return False


@dataclass(slots=True)
class SeqTrack:
    """One connection of a receiver that knows no offsets: the publishers' own numbers are compared."""

    replica: str
    joined: int
    """Microseconds of the master's clock: what was sent later has to come."""
    latest: bool = False
    """Whether only the newest value of each publisher counts."""
    left: int = 0
    """When the connection was lost; 0 while it lasts."""
    heard: dict[str, Heard] = field(default_factory=dict)

    def take(self, publisher: str, seq: int) -> None:
        """Judge one publication."""
        heard = self.heard.get(publisher)
        if heard is None:
            self.heard[publisher] = Heard(seq, seq)
        else:
            heard.take(seq, latest=self.latest)

    def has(self, last: Mapping[str, tuple[int, int]]) -> bool:
        """Whether the last publication of each publisher has come; `last` has number and offset of it."""
        return all(name in self.heard and self.heard[name].last >= seq for name, (seq, _) in last.items())
