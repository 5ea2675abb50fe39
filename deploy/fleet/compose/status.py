"""`make status` over a container engine: one row for each container, and what `make up` says at its end."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fleet import authority, limits, tls
from fleet.compose import containers, override, replicas
from fleet.errors import FAILED, NothingRunsError
from fleet.state import WORKER
from fleet.table import CONTAINER_HEADS, Row, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet.compose.containers import Container
    from fleet.compose.project import Project
    from fleet.compose.replicas import Replica
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Settings

UNITS = {"B": 1, "kB": 1000, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "MB": 10**6, "GB": 10**9}
SIZE = re.compile(r"([\d.]+)([A-Za-z]+)")
ONE_SHOT = ("migrate",)
SERVICES = (WORKER, "nginx", "postgres", "redis")
"""Beside the replicas, of which there is a number."""


def status(_asked: Options, project: Project, progress: Progress) -> int:
    """Print the table; 0 when all is well, 1 when something is down."""
    listed = containers.listed(project)
    if not listed:
        raise NothingRunsError("Nothing runs. `make up` starts the fleet.")
    settings = project.recall()
    found = replicas.asked(project, containers.of(listed, replicas.WEB))
    rows = table(project, listed, found)
    progress.say(render(rows, CONTAINER_HEADS) + authority.line(settings, url(settings)))
    if said := [*notes(settings, listed, found), *lifted(project)]:
        progress.say("\n" + "\n".join(said))
    is_whole = len(found) >= settings.replicas and not missing(listed) and all(row.is_well for row in rows)
    return 0 if is_whole else FAILED


def missing(listed: Sequence[Container]) -> list[str]:
    """Return the services that a fleet has and of which nothing is there."""
    return [service for service in SERVICES if not containers.of(listed, service)]


def table(project: Project, listed: Sequence[Container], found: Sequence[Replica]) -> list[Row]:
    """Return a row for each replica, then for the worker, then for each other container."""
    others = [container for container in listed if container.service not in (replicas.WEB, WORKER, *ONE_SHOT)]
    workers = replicas.asked(project, containers.of(listed, WORKER))
    rows = [
        *(_own_row(replica) for replica in (*found, *workers)),
        *(_row(container, container.service, container.ill() or "yes") for container in others),
    ]
    memory = _memory(project, [container for container in listed if container.is_up])
    return [replace(row, memory=memory.get(str(row.pid))) for row in rows]


def _own_row(replica: Replica) -> Row:
    ill = [f"{check}: {verdict}" for check, verdict in replica.said.get("checks", {}).items() if verdict != "ok"]
    said = str(replica.said.get("status") or replica.container.ill() or "silent")
    ready = "yes" if replica.is_ready else "; ".join([said, *ill])
    return replace(_row(replica.container, replica.slot, ready), connections=replica.said.get("connections"))


def _row(container: Container, name: str, ready: str) -> Row:
    """Return what the engine knows of a container, but for its memory."""
    age = dt.datetime.now(dt.UTC) - container.started if container.is_up and container.started else None
    return Row(
        name=name,
        pid=container.name,
        seconds=age.total_seconds() if age else None,
        connections=None,
        memory=None,
        ready=ready,
    )


def notes(settings: Settings, listed: Sequence[Container], found: Sequence[Replica]) -> list[str]:
    """Return what the table does not tell: starts by the engine, replicas that are missing or out of nginx' sight."""
    said = [
        f"{container.name} ended by itself and was started again {_times(container.restarts)}: "
        f"`make logs NAME={container.name if container.service == replicas.WEB else container.service}` tells why."
        for container in listed
        if container.restarts
    ]
    if gone := missing(listed):
        said.append(f"{', '.join(gone)} is missing: `make up` brings it back.")
    if len(found) < settings.replicas:
        said.append(f"{len(found)} of {settings.replicas} replicas are there: `make up` makes the others.")
    if beyond := [replica.slot for replica in found if settings.slots < replica.rank < replicas.LAST]:
        names, enough = ", ".join(beyond), 2 * settings.slots
        said.append(f"nginx keeps {settings.slots} slots and does not see {names}: make up SLOTS={enough}.")
    return said


def lifted(project: Project) -> list[str]:
    """Return the sentence about limits that are lifted, if they are."""
    return [limits.SAID_OFF] if limits.is_off(project.kept()) else []


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _memory(project: Project, listed: Sequence[Container]) -> dict[str, int]:
    """Return the bytes that each container takes, by its name."""
    if not listed:
        return {}
    ids = [container.id for container in listed]
    said = project.engine.call("stats", "--no-stream", "--no-trunc", "--format", "{{json .}}", *ids)
    rows: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines() if line.strip()]
    return {row["Name"]: size(row["MemUsage"].partition("/")[0]) for row in rows}


def size(text: str) -> int:
    """Return the bytes of the engine's "81.3MiB"."""
    found = SIZE.search(text)
    return int(float(found[1]) * UNITS.get(found[2], 0)) if found else 0


def banner(project: Project, settings: Settings) -> str:
    """Return what somebody needs to know who has just started the fleet."""
    listed = containers.listed(project)
    found = replicas.asked(project, containers.of(listed, replicas.WEB))
    rows = render(table(project, listed, found), CONTAINER_HEADS)
    said = "".join(f"\n{note}" for note in (*notes(settings, listed, found), *lifted(project)))
    more = min(settings.replicas + 2, settings.slots)
    return f"""
{rows}
{said}
The fleet answers at {url(settings)}{authority.banner(settings, authority.Files(project.run.tls), url(settings))}
Open it in two windows: each is on a replica of its own, and they hear each other.

Next: make status · make logs · make scale REPLICAS={more} · make restart · make down"""


def url(settings: Settings) -> str:
    """Return the address to open in a browser on this machine."""
    host = "localhost" if settings.bind is None else override.bracketed(replicas.address(settings))
    return f"https://{host}{tls.suffix(settings.tls_port)}/" if settings.tls else f"http://{host}:{settings.port}/"
