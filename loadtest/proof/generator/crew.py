"""The processes that hold the clients: this one alone, or Locust's workers (`remote`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import gevent

from proof.generator import session
from proof.generator.clock import Clock
from proof.generator.limits import Room, room
from proof.generator.live import snapshot
from proof.generator.plan import plan_of
from proof.generator.station import Station

if TYPE_CHECKING:
    from argparse import Namespace

    from locust.env import Environment

    from proof.clients.client import Targets
    from proof.judgement.ledger import Ledger

JOIN_SECONDS = 30.0
"""For the clients to be in their groups before anything is published; who is later begins later."""


class Crew(Protocol):
    """Whoever holds the clients."""

    def rooms(self) -> list[Room]:
        """Return what each process has room for."""

    def begin(self, options: Namespace) -> None:
        """Be ready for clients."""

    def hush(self, seconds: float) -> Targets:
        """Stop publishing; return what was acknowledged."""

    def settle(self, targets: Targets, seconds: float) -> list[Ledger]:
        """Wait for what was acknowledged; return what everybody knows."""

    def snapshots(self) -> list[dict[str, Any]]:
        """Return how each process' last second was."""

    @property
    def troubles(self) -> list[str]:
        """What makes the run invalid."""

    @property
    def clocks(self) -> dict[str, float]:
        """Seconds that each process' clock is ahead."""


class Own:
    """This process alone."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._station: Station | None = None
        self.troubles: list[str] = []
        self.clocks: dict[str, float] = {}

    def rooms(self) -> list[Room]:
        """Return what this process has room for."""
        return [room()]

    def begin(self, options: Namespace) -> None:
        """Make the station."""
        environment = self._environment
        plan = plan_of(options, environment.host or options.host, 0)
        self._station = Station("local", plan, Clock(), environment.stats)
        session.begin(self._station)

    def snapshots(self) -> list[dict[str, Any]]:
        """Return how the last second was."""
        return [snapshot(self._station)] if self._station else []

    def hush(self, seconds: float) -> Targets:
        """Stop publishing."""
        return self._station.hush(seconds) if self._station else {}

    def settle(self, targets: Targets, seconds: float) -> list[Ledger]:
        """Wait, and close."""
        if self._station is None:
            return []
        self._station.settle(targets, seconds)
        return [self._station.close()]


def publish_when_joined() -> None:
    """Begin to publish when this process' clients are in their groups."""
    gevent.spawn(_publish_when_joined, session.station())


def _publish_when_joined(station: Station | None) -> None:
    if station is not None:
        station.wait_joined(JOIN_SECONDS)
        station.pacer.start()
