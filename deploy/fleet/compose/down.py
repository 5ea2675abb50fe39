"""`make down` over a container engine: ends everything in an order in which nobody is cut off."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fleet.compose import containers, replicas
from fleet.errors import UsageError
from fleet.state import WORKER

if TYPE_CHECKING:
    from fleet.compose.project import Project
    from fleet.options import Options
    from fleet.progress import Progress


def down(asked: Options, project: Project, progress: Progress) -> int:
    """End the containers; the data stays in its volumes, unless it is to be dropped and somebody says yes."""
    listed = containers.listed(project)
    volumes = project.volumes()
    if not listed and not (asked.drop and volumes):
        project.forget()
        progress.say("Nothing runs.")
        return 0
    if asked.drop and not asked.yes:
        confirm(project, volumes)
    _end_in_order(project, listed, progress)
    with progress.step("remove the containers and their networks"):
        project.compose("down", "--remove-orphans", *(["--volumes"] if asked.drop else []))
    project.forget()
    kept = "Its data is gone." if asked.drop else f"The data stays in the volumes {', '.join(volumes)}."
    progress.say(f"Everything has ended. {kept}")
    return 0


def _end_in_order(project: Project, listed: list[containers.Container], progress: Progress) -> None:
    """What each kind of client sees, step by step."""
    # 1. Replicas drain: WebSockets are closed with 1012, their clients know that they may come back.
    if web := containers.of(listed, replicas.WEB):
        with progress.step(f"drain {len(web)} replicas"):
            replicas.stop(project, web)
    # 2. The worker lets go of what it does; what it has not copied stays in Redis.
    if workers := containers.of(listed, WORKER):
        with progress.step("end the worker"):
            replicas.stop(project, workers)
    # 3. nginx ends its last responses, Redis and PostgreSQL write their files; and what a profile has started.
    if others := [container.id for container in listed if container.service not in (replicas.WEB, WORKER)]:
        with progress.step("end nginx, Redis and PostgreSQL"):
            project.engine.call("stop", *others)
            project.engine.call("rm", "--force", *others)


def confirm(project: Project, volumes: list[str]) -> None:
    """Ask whether the data is to go. Raise UsageError unless somebody says yes."""
    question = f"This deletes the data of the fleet {project.name} for good: {', '.join(volumes)}."
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is here to be asked: say it with DATA=drop YES=1.")
    sys.stdout.write(f"{question}\nType yes to go on: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise UsageError("Nothing was ended, nothing was deleted.")
