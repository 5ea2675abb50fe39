"""A replica's row on the fleet's page: counts become rates over the last seconds."""

from __future__ import annotations

import heapq
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fanout.counters import counters
from fanout.hub import hub_here

if TYPE_CHECKING:
    from collections.abc import Mapping

TICK = 1.0
"""Seconds between two rows of a replica."""
RATE_TICKS = 5
"""Ticks that a rate is taken over: what a person reads should not jump about."""
LATENCY_TICKS = 10
"""Ticks of which latencies are told: a 99th percentile of fewer deliveries would be anybody's guess."""
BUSIEST = 8
"""Groups of each replica that its row names."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts at a time, all since the process began but `at`."""

    at: float
    publications: int = 0
    deliveries: int = 0
    handshakes: int = 0
    latencies: tuple[int, ...] = ()
    """Deliveries between the bounds of `fanout.counters.LATENCIES`; the last: above all."""
    groups: Mapping[str, int] = field(default_factory=dict)
    """Group → publications that came for it."""


def read_now(*, groups: bool) -> Reading:
    """Return this process's counts; those of `groups`, of which there may be thousands, if somebody wants them."""
    hub = hub_here() if groups else None
    return Reading(
        time.monotonic(),
        counters.publications,
        counters.deliveries,
        sum(counters.handshakes.values()),
        tuple(counters.latency.counts),
        hub.publications if hub is not None else {},
    )


class Rates:
    """Readings of the last seconds."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=LATENCY_TICKS + 1)

    def add(self, reading: Reading) -> None:
        """Take the newest."""
        self._readings.append(reading)

    def numbers(self, subscriptions: Mapping[str, int]) -> dict[str, Any]:
        """Return what a row tells of rates: each a second; `latency` counts deliveries by bound, `groups` the busiest.

        A group is its name, its subscriptions here, and its publications a second: the same on every replica.
        """
        new, old = self._readings[-1], self._readings[-min(len(self._readings), RATE_TICKS + 1)]
        passed = max(new.at - old.at, TICK)
        before = self._readings[0].latencies or (0,) * len(new.latencies)
        return {
            "publications": round((new.publications - old.publications) / passed, 1),
            "deliveries": round((new.deliveries - old.deliveries) / passed, 1),
            "handshakes": round((new.handshakes - old.handshakes) / passed, 1),
            "latency": [now - then for now, then in zip(new.latencies, before, strict=True)],
            "groups": self._busiest(subscriptions),
            "group_count": len(subscriptions),
        }

    def _busiest(self, subscriptions: Mapping[str, int]) -> list[tuple[str, int, float]]:
        new = self._readings[-1]
        # Counted from when somebody wanted them.
        old = next(each for each in list(self._readings)[-RATE_TICKS - 1 :] if each.groups or each is new)
        passed = max(new.at - old.at, TICK)

        # A group that everybody left and somebody joined counts from nothing again. In one go: there may be thousands.
        made = ((max(0, new.groups.get(name, 0) - old.groups.get(name, 0)), name) for name in subscriptions)
        busy = ((count * subscriptions[name], subscriptions[name], count, name) for count, name in made)
        found = heapq.nlargest(BUSIEST, busy)
        return [(name, here, round(count / passed, 1)) for _, here, count, name in found]
