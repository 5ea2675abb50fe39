"""What one process of the load generator knows at the end: enough to say what every receiver must have got."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from proof.judgement.track import OffsetTrack, SeqTrack  # noqa: TC001 - msgspec reads the annotations

PENDING, REFUSED, CUT, NO_OFFSET = -1, -2, -3, 0
"""What stands in the place of an offset: not answered yet; not taken by the server; the connection was lost before an
answer, and nobody will tell what became of it; acknowledged without a position."""
STRANGER = ""
"""Stands for the publisher of what is none of the proof's, or not as it was written."""


@dataclass(slots=True)
class Publisher:
    """One publisher's publications; number n stands at place n - 1 of each list."""

    name: str
    group: str
    kind: str
    offsets: list[int] = field(default_factory=list)
    """Offset, or PENDING, REFUSED, NO_OFFSET."""
    sent: list[int] = field(default_factory=list)
    """Microseconds of the master's clock."""
    replicas: list[str] = field(default_factory=list)

    def add(self, sent: int, replica: str) -> int:
        """Note that a publication leaves; return its number."""
        self.offsets.append(PENDING)
        self.sent.append(sent)
        self.replicas.append(replica)
        return len(self.offsets)

    def cut(self, behind: int) -> None:
        """The connection is lost that the numbers past `behind` were sent on: no answer can come any more."""
        self.offsets[behind:] = [CUT if offset == PENDING else offset for offset in self.offsets[behind:]]

    @property
    def pending(self) -> int:
        """How many the server has not answered."""
        return self.offsets.count(PENDING)


@dataclass(slots=True)
class Receiver:
    """One receiver: of a durable group by offsets, else one track for each of its connections."""

    name: str
    kind: str
    group: str
    offsets: OffsetTrack | None = None
    connections: list[SeqTrack] = field(default_factory=list)
    is_present: bool = True
    """Whether it was to stay to the end."""
    is_connected: bool = False
    """Whether it was in the group at the end."""


@dataclass(slots=True)
class Sighting:
    """What frames of a durable group said: at this offset stands this publication."""

    offset: int
    publisher: str
    seq: int


@dataclass(slots=True)
class KindTally:
    """One class of users in one process."""

    users: int = 0
    connects: int = 0
    resumes: int = 0
    resets: int = 0
    refused: int = 0
    away: float = 0.0
    """Seconds of the longest time that a client was away: from the loss of a connection to the next join."""
    counts: bool = True
    note: str = ""


@dataclass(slots=True)
class Tick:
    """What happened within one second."""

    users: int = 0
    connects: int = 0
    published: int = 0
    received: int = 0
    connected: dict[int, int] = field(default_factory=Counter)
    """Bucket to count, as in a Histogram; so are the next two."""
    acknowledged: dict[int, int] = field(default_factory=Counter)
    delivered: dict[int, int] = field(default_factory=Counter)
    cpu: float = 0.0
    """Share of one core."""


@dataclass(slots=True)
class Ledger:
    """All of one process."""

    worker: str
    publishers: list[Publisher] = field(default_factory=list)
    receivers: list[Receiver] = field(default_factory=list)
    sightings: dict[str, list[Sighting]] = field(default_factory=dict)
    """By group."""
    latencies: dict[str, dict[str, dict[int, int]]] = field(default_factory=dict)
    """Publisher's replica, receiver's replica: distribution of the deliveries that came live."""
    ticks: dict[int, Tick] = field(default_factory=dict)
    """By second of the master's clock."""
    kinds: dict[str, KindTally] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    """Why connections could not be made or publications were not taken, as sentences, and how often."""
    barred: dict[str, int] = field(default_factory=dict)
    """Kinds of users that were not let into their groups, with the reason, and how many."""
    fell_silent: bool = False
    """Whether the process stopped publishing by a fault of its own."""
    astray: int = 0
    """Deliveries to clients that are not in the publication's group."""
    early: int = 0
    """Deliveries that arrived before they were sent, as the clocks have it."""


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Ledger).decode


def pack(ledger: Ledger) -> bytes:
    """Return the ledger as bytes for another machine."""
    return _pack(ledger)


def unpack(packed: bytes) -> Ledger:
    """Return what was packed. Raise msgspec.ValidationError when it is no ledger."""
    return _unpack(packed)
