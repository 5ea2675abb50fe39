"""How late this process's event loop is: a timer that should ring every tick tells."""

from __future__ import annotations

import asyncio

from fanout.histogram import Histogram

TICK = 0.1
"""Seconds between two looks."""
BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. A turn of a busy replica takes some milliseconds; at 0.25 a person notices."""
MISSED_LIMIT = 600
"""Ticks of one standstill that are counted, a minute's: who stood still longer was seen by others."""


class LoopLag:
    """Counts how late each tick is. One standstill counts as often as it has hidden ticks: by its share of the time."""

    def __init__(self) -> None:
        self.lateness = Histogram(BOUNDS)
        """Seconds."""
        self._late = 0.0
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to tick; harmless when repeated."""
        if self._timer is None:
            self._next(asyncio.get_running_loop())

    def stop(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._due = None

    @property
    def now(self) -> float:
        """Seconds that the last tick was late, or the next one is by now."""
        overdue = 0.0 if self._due is None else asyncio.get_running_loop().time() - self._due
        return max(self._late, overdue)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + TICK
        self._timer = loop.call_at(self._due, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._late = max(0.0, loop.time() - (self._due or 0.0))
        for late in lateness_of(self._late):
            self.lateness.observe(late)
        self._next(loop)


def lateness_of(late: float) -> list[float]:
    """Return how late the tick was, and each that should have been meanwhile."""
    return [late - number * TICK for number in range(min(int(late / TICK), MISSED_LIMIT - 1) + 1)]
