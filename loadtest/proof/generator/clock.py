"""The master's clock, as a worker reads it: its own, corrected by what an exchange of messages told."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROUNDING = 1e-6
"""Seconds that adding up may add."""


@dataclass(frozen=True)
class Reading:
    """One exchange: asked and answered by the master's clock, read in between by the worker's; seconds."""

    asked: float
    worker: float
    answered: float

    @property
    def ahead(self) -> float:
        """How far the worker's clock is ahead, if both ways took the same time; 0 where it may be the same clock."""
        ahead = self.worker - (self.asked + self.answered) / 2
        return ahead if abs(ahead) > self.doubt + ROUNDING else 0.0

    @property
    def doubt(self) -> float:
        """How far `ahead` may be from the truth; twice as far where it is 0."""
        return (self.answered - self.asked) / 2


def best(readings: Iterable[Reading]) -> Reading:
    """Return the one that leaves least doubt: the quickest."""
    return min(readings, key=lambda reading: reading.doubt)


class Clock:
    """Monotonic, so that nobody who sets the time disturbs a run."""

    def __init__(self, ahead: float = 0.0, doubt: float = 0.0) -> None:
        self.ahead = ahead
        """Seconds of this process' clock before the master's."""
        self.doubt = doubt
        """Seconds by which the clocks of two processes may differ all the same."""

    def now(self) -> int:
        """Return the microseconds of the master's clock."""
        return int((time.monotonic() - self.ahead) * 1e6)

    def passed(self) -> int:
        """Return the latest that any process may take this moment for: what is sent later by its clock is later."""
        return self.now() + int(self.doubt * 1e6)
