"""`make status`: one row for each process, and what `make up` says at its end."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from fleet import authority, environment, limits, ports, readiness, running, tls
from fleet.control import Control, Process
from fleet.descriptors import Limits, workers
from fleet.errors import FAILED
from fleet.state import WORKER
from fleet.table import Row, render

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run, Settings

PING_SECONDS = 2.0


@dataclass(frozen=True)
class Usage:
    """What a process and its children take."""

    seconds: float
    memory: int
    """Bytes."""


def status(_asked: Options, run: Run, progress: Progress) -> int:
    """Print the table; 0 when all is well, 1 when something is down, 3 when nothing runs."""
    control = Control(run)
    if not control.answers():
        absence = running.absence(run)
        progress.say(str(absence))
        return absence.code
    settings = run.recall()
    found = rows(run, settings, control.processes())
    progress.say(render(found) + authority.line(settings, url(settings)))
    if limits.is_off(environment.kept(run)):
        progress.say(f"\n{limits.SAID_OFF}")
    return 0 if all(row.is_well for row in found) else FAILED


def rows(run: Run, settings: Settings, processes: dict[str, Process]) -> list[Row]:
    """Return a row for each replica, then the worker, nginx and Redis."""
    others = ("nginx", "redis") if settings.own_redis else ("nginx",)
    return [
        *(_own_row(run, name, processes.get(name)) for name in (*settings.names, WORKER)),
        *(_other_row(run, settings, name, processes.get(name)) for name in others),
    ]


def _own_row(run: Run, name: str, process: Process | None) -> Row:
    answer = readiness.state(run, name) or {}
    usage = _usage(process)
    ready = str(answer.get("status") or (process.state.lower() if process else "down"))
    if process and process.state == "RUNNING" and not answer:
        ready = "silent"
    ill = [f"{check}: {verdict}" for check, verdict in answer.get("checks", {}).items() if verdict != "ok"]
    return Row(
        name=name,
        pid=process.pid if process and process.pid else None,
        seconds=usage.seconds if usage else None,
        connections=answer.get("connections"),
        memory=usage.memory if usage else None,
        ready="yes" if ready == "ready" else "; ".join([ready, *ill]),
    )


def _other_row(run: Run, settings: Settings, name: str, process: Process | None) -> Row:
    usage = _usage(process)
    is_up = _nginx_listens(settings) if name == "nginx" else _redis_answers(run)
    state = process.state.lower() if process else "down"
    return Row(
        name=name,
        pid=process.pid if process and process.pid else None,
        seconds=usage.seconds if usage else None,
        connections=None,
        memory=usage.memory if usage else None,
        ready="yes" if is_up else "silent" if state == "running" else state,
    )


def _usage(process: Process | None) -> Usage | None:
    if process is None or not process.pid:
        return None
    try:
        own = psutil.Process(process.pid)
        family = [own, *own.children(recursive=True)]
        return Usage(time.time() - own.create_time(), sum(member.memory_info().rss for member in family))
    except psutil.Error:
        return None


def _nginx_listens(settings: Settings) -> bool:
    try:
        with socket.create_connection((ports.first(settings), settings.port), timeout=PING_SECONDS):
            return True
    except OSError:
        return False


def _redis_answers(run: Run) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(PING_SECONDS)
            link.connect(str(run.redis / "redis.sock"))
            link.sendall(b"PING\r\n")
            return link.recv(len(b"+PONG")) == b"+PONG"
    except OSError:
        return False


def banner(run: Run, settings: Settings) -> str:
    """Return what somebody needs to know who has just started the fleet."""
    table = render(rows(run, settings, Control(run).processes()))
    more = min(settings.replicas + 2, settings.slots)
    lifted = f"{limits.SAID_OFF}\n" if limits.is_off(environment.kept(run)) else ""
    carries = Limits(settings.descriptors).clients(settings.replicas, workers())
    return f"""
{table}

The fleet answers at {url(settings)}{authority.banner(settings, authority.Files(run.tls), url(settings))}
Open it in two windows: each is on a replica of its own, and they hear each other.
{settings.descriptors:,} open files a process carry about {carries:,} clients at once.
{lifted}
Next: make status · make logs · make scale REPLICAS={more} · make restart · make down"""


def url(settings: Settings) -> str:
    """Return the address to open in a browser on this machine."""
    address = "localhost" if settings.bind is None else ports.first(settings)
    host = f"[{address}]" if ":" in address else address
    return f"https://{host}{tls.suffix(settings.tls_port)}/" if settings.tls else f"http://{host}:{settings.port}/"
