"""What a replica knows of itself now: counts become rates over the last second."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from fanout.counters import counters

TICK = 0.1
"""Seconds between two publications of a replica."""
SMOOTH = 10
"""Ticks that a rate is taken over: at ten publications a second one more or less would be a jump of ten."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts at a time, all since the process began but `at`."""

    at: float
    cpu: float
    publications: int
    deliveries: int


def read_now() -> Reading:
    """Return this process's counts."""
    return Reading(time.monotonic(), time.process_time(), counters.publications, counters.deliveries)


class Meter:
    """Readings of the last second."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=SMOOTH + 1)

    def clear(self) -> None:
        """Forget them: there was a pause."""
        self._readings.clear()

    def numbers(self, new: Reading, late: float) -> dict[str, Any]:
        """Return what a viewer gets, with a reading's own figures and how many seconds `late` its tick came.

        `publications` and `deliveries` a second, `cpu` in percent of a core, `cpu_seconds` since the process began,
        `lag` of the event loop in ms.
        """
        self._readings.append(new)
        old = self._readings[0]
        passed = max(new.at - old.at, TICK)
        return {
            "publications": round((new.publications - old.publications) / passed, 1),
            "deliveries": round((new.deliveries - old.deliveries) / passed, 1),
            "cpu": round(100 * (new.cpu - old.cpu) / passed, 1),
            "cpu_seconds": round(new.cpu, 3),
            "lag": round(1000 * max(0.0, late), 1),
        }
