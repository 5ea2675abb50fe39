"""Which function does which verb; imported inside the virtual environment only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.verbs import drill, drills
from fleet.audit.bill import sbom
from fleet.chaos import chaos
from fleet.doctor.examination import doctor
from fleet.down import down
from fleet.load import load, prove
from fleet.logs import logs
from fleet.progress import Progress
from fleet.quality import bench, check, lock
from fleet.release import release
from fleet.restart import restart
from fleet.scale import scale
from fleet.soak import soak
from fleet.status import status
from fleet.testing import fuzz, test
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
    "doctor": doctor,
    "prove": prove,
    "load": load,
    "chaos": chaos,
    "drill": drill,
    "drills": drills,
    "test": test,
    "test-slow": test,
    "test-compose": test,
    "soak": soak,
    "fuzz": fuzz,
    "bench": bench,
    "check": check,
    "sbom": sbom,
    "lock": lock,
    "release": release,
}


def do(asked: Options, run: Run) -> int:
    """Do a verb; return the exit code."""
    return VERBS[asked.verb](asked, run, Progress())
