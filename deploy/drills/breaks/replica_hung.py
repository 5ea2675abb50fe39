"""A replica stands still: it takes connections and answers nothing."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

NAME = "web-1"


@contextlib.contextmanager
def hung(stand: Stand) -> Iterator[None]:
    """SIGSTOP: the kernel goes on taking its connections."""
    os.kill(stand.run.pid(NAME) or 0, signal.SIGSTOP)
    yield


DRILL = Drill(
    name="replica-hung",
    alert="FanoutReplicaDown",
    text=f"{NAME} stands still (SIGSTOP)",
    breaks=hung,
    step="One that hangs",
)
