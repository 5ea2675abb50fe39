"""Lets nginx in its container take up its configuration anew; open sockets stay with the old workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet import waiting
from fleet.compose import replicas
from fleet.errors import FleetError

if TYPE_CHECKING:
    from fleet.compose.containers import Container
    from fleet.compose.project import Project
    from fleet.progress import Progress
    from fleet.state import Settings

SECONDS = 10.0


def reload_nginx(project: Project, settings: Settings, container: Container, progress: Progress) -> None:
    """Send HUP, and wait until nginx answers. Raise FleetError with its last line when it does not."""
    with progress.step("reload nginx"):
        project.engine.call("kill", "--signal", "HUP", container.id)
        if not waiting.until(lambda: replicas.answering(settings, project) is not None, SECONDS):
            said = replicas.last_line(project, container.id)
            raise FleetError(f"nginx does not answer after its reload; it last said: {said}")
