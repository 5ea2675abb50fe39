"""The worker has ended, and nobody starts it: what is said is not copied into the database."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand


@contextlib.contextmanager
def dead(stand: Stand) -> Iterator[None]:
    """Have the supervisor end it: one that is only killed is back within a second."""
    stand.control.stop("worker")
    yield


DRILL = Drill(
    name="worker-dead",
    alert="FanoutWorkerDown",
    text="the worker has ended and is not started again",
    breaks=dead,
)
