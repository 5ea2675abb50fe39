"""Which function does which verb over a container engine, and what each needs before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.compose.chaos import chaos
from fleet.compose.doctor import doctor
from fleet.compose.down import down
from fleet.compose.logs import logs
from fleet.compose.project import Project
from fleet.compose.restart import restart
from fleet.compose.scale import scale
from fleet.compose.status import status
from fleet.compose.up import up
from fleet.errors import FleetError
from fleet.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet.options import Options
    from fleet.state import Run

VERBS: dict[str, Callable[[Options, Project, Progress], int]] = {
    "up": up,
    "down": down,
    "status": status,
    "logs": logs,
    "scale": scale,
    "restart": restart,
    "doctor": doctor,
    "chaos": chaos,
}
CHANGING = ("up", "down", "scale", "restart", "chaos")


def do(asked: Options, run: Run) -> int:
    """Do a verb; return the exit code. Raise FleetError when no engine answers."""
    project = Project(run, asked=asked.compose or "")
    if said := project.engine.absence():
        raise FleetError(said)
    project.program()  # before anything is made
    if asked.verb in CHANGING:
        with run.locked():
            return VERBS[asked.verb](asked, project, Progress())
    return VERBS[asked.verb](asked, project, Progress())
