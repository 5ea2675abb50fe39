"""`make chaos` over a container engine: what happens to a fleet some day, done to the containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.compose import containers, replicas, secrets
from fleet.compose.reload import reload_nginx
from fleet.compose.restart import restart
from fleet.errors import FleetError, NothingRunsError

if TYPE_CHECKING:
    from fleet.compose.containers import Container
    from fleet.compose.project import Project
    from fleet.options import Options
    from fleet.progress import Progress

KINDS = ("normal", "pubsub")
"""Connections that are killed, as Redis calls them: all that send commands, then readers (a replica whose reader has
gone leaves the others by itself)."""
PASSWORD = "REDISCLI_AUTH"  # noqa: S105 - the variable from which redis-cli takes it


def chaos(asked: Options, project: Project, progress: Progress) -> int:
    """Do WHAT. Raise FleetError."""
    if not containers.listed(project, replicas.WEB):
        raise NothingRunsError("Nothing runs. `make up` starts the fleet.")
    match asked.what:
        case "restart":
            return restart(asked, project, progress)
        case "reload":
            reload_nginx(project, project.recall(), _running(project, "nginx"), progress)
        case "redis-kill":
            with progress.step("kill all connections of Redis") as step:
                step.note = f"{kill_connections(project)} killed"
    return 0


def kill_connections(project: Project) -> int:
    """Cut every connection to Redis but this one; return how many. Raise FleetError."""
    redis = _running(project, "redis")
    # By a variable that this process hands on: in a command line everybody could read it.
    variables = {PASSWORD: secrets.read(project.secrets, secrets.OPERATOR_PASSWORD)}
    said = [
        project.engine.call(
            "exec", "--env", PASSWORD, redis.id, "redis-cli", "-e", "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes",
            variables=variables,
        )
        for kind in KINDS
    ]  # fmt: skip
    return sum(map(int, said))


def _running(project: Project, service: str) -> Container:
    """Return the container of a service. Raise FleetError when it does not run."""
    found = next((container for container in containers.listed(project, service) if container.is_up), None)
    if found is None:
        raise FleetError(f"{service} does not run: `make up` heals the fleet.")
    return found
