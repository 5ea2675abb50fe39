"""`make restart` over a container engine: new code and new variables, one replica after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.compose import containers, replicas
from fleet.compose.up import begin, finish
from fleet.errors import NothingRunsError

if TYPE_CHECKING:
    from fleet.compose.project import Project
    from fleet.options import Options
    from fleet.progress import Progress


def restart(asked: Options, project: Project, progress: Progress) -> int:
    """Drain and replace each replica in turn; Redis, PostgreSQL and nginx only when their description has changed."""
    if not containers.listed(project, replicas.WEB):
        raise NothingRunsError("Nothing runs. `make up` starts the fleet.")
    settings, given = begin(asked, project, progress)
    finish(project, settings, given, progress, every=True)
    return 0
