"""What a run found, as plain values: the JSON, the report and the terminal are made from these alone."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
"""Of the JSON: raised when a field changes its meaning or goes."""


class Verdict(StrEnum):
    """What the run came to, and the exit code it leaves."""

    PROVED = "proved"
    BROKEN = "broken"
    INVALID = "invalid"

    @property
    def exit_code(self) -> int:
        """0 proved, 1 broken, 2 the test itself was not valid."""
        return list(Verdict).index(self)


class Latency(msgspec.Struct, frozen=True):
    """A distribution, in milliseconds."""

    count: int
    p50: float
    p99: float
    p999: float
    worst: float


class Count(msgspec.Struct, frozen=True):
    """What receivers must have got, and what was wrong with what they got."""

    expected: int = 0
    received: int = 0
    """Different publications: a double counts once here."""
    lost: int = 0
    doubled: int = 0
    disordered: int = 0

    def __add__(self, other: Count) -> Count:
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Count(*(a + b for a, b in zip(mine, theirs, strict=True)))


class Cell(msgspec.Struct, frozen=True):
    """Published on one replica, received on another (or the same)."""

    publisher: str
    receiver: str
    count: Count
    latency: Latency | None = None
    """From the publisher's send to the receiver's socket; None when nothing arrived."""


class Pair(msgspec.Struct, frozen=True):
    """One publisher and one receiver between whom something was wrong."""

    publisher: str
    receiver: str
    publisher_replica: str
    receiver_replica: str
    group: str
    count: Count
    first: str = ""
    """The first thing that was wrong, as a sentence."""


class Kind(msgspec.Struct, frozen=True):
    """One class of users."""

    name: str
    users: int
    groups: int
    published: int
    acknowledged: int
    connects: int
    resumes: int
    """Reconnects that went on behind a position."""
    resets: int
    refused: int
    """Handshakes not answered with 101."""
    count: Count
    counts: bool = True
    """Whether its losses break the proof."""
    note: str = ""
    """Why its losses do not count, or what was left out of it."""


class Second(msgspec.Struct, frozen=True):
    """One second of the run."""

    second: int
    """Since the first publication; below 0 while clients connect."""
    users: int
    connects: int
    published: int
    received: int
    acknowledged: Latency | None = None
    """Publish to ack."""
    delivered: Latency | None = None
    """Publish to receive."""
    connected: Latency | None = None
    """Connect to joined."""


class Event(msgspec.Struct, frozen=True):
    """Something that was done to the fleet while the proof ran."""

    at: float
    """Seconds since the first publication."""
    name: str
    """As in `--chaos`: restart, redis-kill, reload."""
    until: float | None = None
    detail: str = ""
    failed: bool = False


class Worker(msgspec.Struct, frozen=True):
    """One process of the load generator."""

    name: str
    cpu: float
    """Mean share of one core while publications flowed, 0 to 1."""
    cpu_peak: float
    """Of the busiest five seconds."""
    clock: float
    """Seconds its clock is ahead of the master's."""
    received: int


class Result(msgspec.Struct, frozen=True):
    """The whole run."""

    verdict: Verdict
    sentence: str
    """The verdict in words; names the worst cell when it is broken."""
    reasons: list[str]
    """All that was wrong with the stack or with the test, the worst first."""
    host: str
    began: str
    """ISO 8601, UTC."""
    seconds: float
    """From the first publication to the last."""
    replicas: list[str]
    cells: list[Cell]
    """Every publisher's replica x every receiver's, row by row, in the order of `replicas`."""
    pairs: list[Pair]
    """The worst, at most 100."""
    kinds: list[Kind]
    timeline: list[Second]
    events: list[Event]
    workers: list[Worker]
    acknowledged: Latency | None
    delivered: Latency | None
    p99_limit: float
    """Milliseconds."""
    gaps: int | None
    """Gaps the replicas filled meanwhile; None where they could not be asked."""
    machine: dict[str, Any]
    """Processor, cores, memory, kernel and versions."""
    command: str
    """What repeats the run."""
    schema: int = SCHEMA

    def save(self, path: Path) -> None:
        """Write the JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    @classmethod
    def load(cls, path: Path) -> Result:
        """Read the JSON. Raise msgspec.ValidationError when it is none of ours."""
        return msgspec.json.decode(path.read_bytes(), type=cls)
