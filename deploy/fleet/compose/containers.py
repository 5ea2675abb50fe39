"""The containers of a project, as the engine knows them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fleet.compose.project import Project

LABEL = "com.docker.compose"
KILLED = 137  # 128 + SIGKILL


@dataclass(frozen=True)
class Container:
    """One container; fields as `docker inspect` has them."""

    id: str
    name: str
    service: str
    number: int
    image: str
    config_hash: str
    status: str
    """created, running, paused, restarting, removing, exited or dead."""
    health: str
    """healthy, unhealthy, starting; empty without a check."""
    exit_code: int
    out_of_memory: bool
    memory_limit: int
    """Bytes; 0: none."""
    restarts: int
    """How often the engine has started it again since it was made."""
    started: dt.datetime | None

    @property
    def is_up(self) -> bool:
        """Return whether its process is there and goes on."""
        return self.status == "running"

    @property
    def has_ports(self) -> bool:
        """Return whether what it publishes is taken by itself: also while it is paused."""
        return self.status in ("running", "paused")

    def ill(self) -> str:
        """Return what is wrong, in words; nothing when it runs."""
        if self.status == "running":
            return "" if self.health in ("", "healthy") else self.health
        if self.status not in ("exited", "dead"):
            return self.status
        if self.out_of_memory:
            return f"killed: out of memory ({self.memory_limit >> 20} MiB allowed)"
        return "killed" if self.exit_code == KILLED else f"ended with exit code {self.exit_code}"


def listed(project: Project, *services: str) -> list[Container]:
    """Return the project's containers, of some services or all, one-off ones left out; by service and number."""
    ids = project.engine.call(
        "container", "ls", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}.project={project.name}",
        "--filter", f"label={LABEL}.oneoff=False",
    ).split()  # fmt: skip
    found = map(parse, project.engine.inspect(ids))
    wanted = [container for container in found if not services or container.service in services]
    return sorted(wanted, key=lambda container: (container.service, container.number))


def of(containers: Iterable[Container], service: str) -> list[Container]:
    """Return those of a service."""
    return [container for container in containers if container.service == service]


def parse(said: Mapping[str, Any]) -> Container:
    """Return what `docker inspect` says of one container."""
    labels, condition = said["Config"]["Labels"], said["State"]
    return Container(
        id=said["Id"],
        name=said["Name"].removeprefix("/"),
        service=labels[f"{LABEL}.service"],
        number=int(labels.get(f"{LABEL}.container-number", 1)),
        image=said["Image"],
        config_hash=labels.get(f"{LABEL}.config-hash", ""),
        status=condition["Status"],
        health=condition.get("Health", {}).get("Status", ""),
        exit_code=condition["ExitCode"],
        out_of_memory=condition.get("OOMKilled", False),
        memory_limit=said["HostConfig"].get("Memory") or 0,
        restarts=said.get("RestartCount", 0),
        started=_time(condition.get("StartedAt", "")),
    )


def _time(text: str) -> dt.datetime | None:
    """Return a time of the engine, which has nanoseconds; None for its "never"."""
    if not text or text.startswith("0001-"):
        return None
    return dt.datetime.fromisoformat(text[:19] + "+00:00")
