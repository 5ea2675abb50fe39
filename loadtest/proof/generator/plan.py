"""What a run is to do: the options, in the types that the parts want; the same in every process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proof.target import parse

if TYPE_CHECKING:
    from argparse import Namespace

    from proof.target import Target

USERS_A_ROOM = 30
"""Where nothing else is asked for: on a handful of replicas there are several of each room's users on each."""


@dataclass(frozen=True)
class Plan:
    """One run."""

    target: Target
    run: str
    """Names the run's groups, so that nobody else talks in them."""
    workers: int
    index: int
    """This process among the workers."""
    rate: float
    """Publications a second of all workers."""
    publishers: int
    """Publishers of each room on each replica, in this process."""
    rooms: int
    size: int
    """Characters of a publication's text."""
    path: str
    plain_path: str
    kind: str
    """Of the durable groups."""
    latest_kind: str
    """Of the groups of latest values."""
    origin: str | None
    settle: float
    """Seconds for the last publications to arrive."""

    def group(self, name: str, *, latest: bool = False) -> str:
        """Return a group of this run, durable or of latest values."""
        return f"{self.latest_kind if latest else self.kind}.{self.run}-{name}"

    def number(self, own: int) -> int:
        """Return the number over all processes of this process' n-th user."""
        return own * self.workers + self.index


def plan_of(options: Namespace, host: str, index: int) -> Plan:
    """Return what the options ask for. Raise ProofError for a host that is none."""
    return Plan(
        target=parse(host, options.trust),
        run=options.proof_run,
        workers=options.proof_workers,
        index=index,
        rate=options.rate,
        publishers=options.publishers,
        rooms=options.rooms or max(1, options.proof_users // USERS_A_ROOM),
        size=options.size,
        path=options.path,
        plain_path=options.plain_path,
        kind=options.kind,
        latest_kind=options.latest_kind,
        origin=options.origin or None,
        settle=options.settle,
    )
