"""A replica is killed again and again, as the kernel does it to one that takes too much memory."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from drills.drill import Drill
from drills.errors import DrillError
from fleet import readiness, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

NAME = "web-1"
TIMES = 3
"""As often as the alert wants to see it in its window."""
BACK_SECONDS = 60.0


@contextlib.contextmanager
def killed(stand: Stand) -> Iterator[None]:
    """SIGKILL; the next one once Prometheus has seen the replica that took its place."""
    for _ in range(TIMES):
        kill(stand, started(stand))
    yield


def kill(stand: Stand, before: str | None) -> None:
    """Kill the replica that was started at that time; return when another is there. Raise DrillError."""
    os.kill(stand.run.pid(NAME) or 0, signal.SIGKILL)
    if not waiting.until(lambda: started(stand) not in (before, None), BACK_SECONDS):
        raise DrillError(f"{NAME} was not started again: {readiness.explain(stand.run, NAME)}")


def started(stand: Stand) -> str | None:
    """Return when the replica was started, as Prometheus knows it."""
    query = f'process_start_time_seconds{{replica="{NAME}"}} and up{{replica="{NAME}"}} == 1'
    return stand.prometheus.value(query).get(NAME)


DRILL = Drill(
    name="replica-killed",
    alert="FanoutReplicaRestarting",
    text=f"{NAME} is killed {TIMES} times (SIGKILL)",
    breaks=killed,
    step="Out of memory",
    heals_itself="The supervisor starts a replica that is gone by itself",
    faster=10,
)
