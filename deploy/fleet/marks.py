"""Whether a folder is a fleet's: no other is tidied, and no other that holds something is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.compose import secrets
from fleet.compose.project import Project
from fleet.errors import UsageError
from fleet.options import REPOSITORY
from fleet.supervision import HEADING

if TYPE_CHECKING:
    from fleet.state import Run

FOLDERS = frozenset({"sockets", "pids", "logs", "redis", "nginx", "static", "bench", "drills", "compose", "secrets"})
"""What an interrupted start or `make bench` leaves in a folder that holds nothing else."""


def is_fleet(run: Run) -> bool:
    """Return whether a fleet was ever started in the folder: the names alone also occur elsewhere, as in /etc."""
    try:
        return run.memory.exists() or run.supervisor.read_text(encoding="utf-8").startswith(HEADING)
    except (OSError, UnicodeDecodeError):
        return False


def refuse_other(run: Run) -> None:
    """Raise UsageError when the folder holds what is no fleet's; the repository's own `.run` always is one."""
    keys = (run.secret_key, Project(run).secrets / secrets.SECRET_KEY)  # of plain processes, of containers
    if run.root == REPOSITORY / ".run" or is_fleet(run) or any(key.exists() for key in keys) or not run.root.is_dir():
        return
    others = sorted(entry.name for entry in run.root.iterdir() if entry.name not in FOLDERS)
    if others:
        raise UsageError(
            f"The run folder {run.root} is no fleet's and holds {others[0]}: "
            "name a new or an empty folder, for example RUN_DIR=~/fleet."
        )
