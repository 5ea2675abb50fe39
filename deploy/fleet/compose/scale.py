"""`make scale REPLICAS=5` over a container engine; replicas that stay keep every connection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fleet.compose import containers, replicas, status
from fleet.configuration import decide
from fleet.errors import NothingRunsError, UsageError
from fleet.options import Options

if TYPE_CHECKING:
    from fleet.compose.project import Project
    from fleet.progress import Progress


def scale(asked: Options, project: Project, progress: Progress) -> int:
    """Start or drain replicas until there are as many as asked for."""
    if asked.replicas is None:
        raise UsageError("How many replicas? For example: make scale REPLICAS=5.")
    if not containers.listed(project, replicas.WEB):
        raise NothingRunsError(f"Nothing runs. `make up REPLICAS={asked.replicas}` starts the fleet.")
    only = Options(asked.verb, asked.run_dir, asked.env_file, replicas=asked.replicas)
    settings = decide(only, project.recall())
    found = replicas.found(project)
    surplus = found[settings.replicas :]
    if surplus:
        with progress.step(f"drain {', '.join(replica.slot for replica in surplus)}"):
            replicas.stop(project, [replica.container for replica in surplus])
    project.resize(replace(project.recall(), replicas=settings.replicas))
    with progress.step("wait for the replicas") as step:
        replicas.fill(project, settings.replicas)
        replicas.wait(project, settings.replicas, step)
    progress.say(status.banner(project, settings))
    return 0
