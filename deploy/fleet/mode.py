"""Which way the fleet runs: as processes of this host, or in containers. Decided before anything is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.compose import containers
from fleet.compose.engine import Engine
from fleet.compose.project import Project, program
from fleet.errors import FleetError, UsageError

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

NATIVE, COMPOSE = "native", "compose"
VERBS = ("up", "down", "status", "logs", "scale", "restart", "doctor", "chaos")
"""These mean a fleet; the others do not care how one runs."""
PROOFS = ("prove", "load")
"""These run outside the fleet, and mean one of the mode that was said."""


def choose(asked: Options, run: Run, progress: Progress) -> str:
    """Return the mode of a verb: what was said, what runs in the folder, or what this machine has.

    Raise UsageError when a fleet of the other mode is in the folder: two would share neither data nor port.
    """
    if asked.verb in (*VERBS, *PROOFS):
        _refuse_other(asked, run)
    if asked.verb not in VERBS:
        return NATIVE
    if known := asked.mode or _there(run):
        return known
    absence = _absence()
    if absence and asked.verb == "up":
        progress.say(f"  MODE=native, plain processes of this host. {absence.partition(':')[0].rstrip('.')}.")
    if asked.verb == "up":
        return NATIVE if absence else COMPOSE
    # Started by hand, without make: only the engine knows of it.
    return COMPOSE if not absence and containers.listed(Project(run)) else NATIVE


def _refuse_other(asked: Options, run: Run) -> None:
    """Raise UsageError when the folder holds a fleet of another mode than was said; to end or see one, none matters."""
    there = _there(run)
    if asked.mode and there and asked.mode != there and asked.verb not in ("down", "status"):
        raise UsageError(
            f"The fleet in {run.root} runs with MODE={there}: `make down` first, or give this one "
            "another folder and port, for example RUN_DIR=~/fleet PORT=8081."
        )


def _there(run: Run) -> str:
    """Return the mode of the fleet that the folder remembers; nothing when there is none."""
    if Project(run).memory.exists():
        return COMPOSE
    return NATIVE if run.memory.exists() else ""


def _absence() -> str:
    """Return why no engine can be used, nothing when one can, with a Compose beside it."""
    engine = Engine()
    if said := engine.absence():
        return said
    try:
        program(engine)
    except FleetError as error:
        return str(error)
    return ""
