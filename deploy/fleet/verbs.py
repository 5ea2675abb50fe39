"""Which function does which verb; imported inside the virtual environment only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.chaos import chaos
from fleet.down import down
from fleet.load import load, prove
from fleet.logs import logs
from fleet.progress import Progress
from fleet.quality import bench, check, lock, test
from fleet.restart import restart
from fleet.scale import scale
from fleet.soak import soak
from fleet.status import status
from fleet.up import up

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet.options import Options
    from fleet.state import Run

VERBS: dict[str, Callable[[Options, Run, Progress], int]] = {
    "up": up,
    "down": down,
    "status": status,
    "logs": logs,
    "scale": scale,
    "restart": restart,
    "prove": prove,
    "load": load,
    "chaos": chaos,
    "test": test,
    "soak": soak,
    "bench": bench,
    "check": check,
    "lock": lock,
}


def do(asked: Options, run: Run) -> int:
    """Do a verb; return the exit code."""
    return VERBS[asked.verb](asked, run, Progress())
