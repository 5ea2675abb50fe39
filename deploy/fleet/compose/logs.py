"""`make logs` over a container engine: what the containers say, each line under its name, without what is expected."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, TextIO

from fleet.compose import containers, replicas
from fleet.errors import NothingRunsError, UsageError
from fleet.logs import TAIL_LINES, is_expected, printable, readable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet.compose.project import Project
    from fleet.options import Options
    from fleet.progress import Progress

ACCESS = "access"
"""A line for each request hides everything else: shown only when asked for."""
PREFIX = re.compile(r"^(\S+)( *)\| ?(.*)$")
REQUEST = re.compile(r'\{"time":"[^"]*","request_id":')
"""How nginx/snippets/access-log.conf begins a line; those of replicas go on with their level."""


def logs(asked: Options, project: Project, _progress: Progress) -> int:
    """Print the last lines of each container, then follow until interrupted (FOLLOW=0: do not follow)."""
    listed = containers.listed(project)
    if not listed:
        raise NothingRunsError("There are no logs yet. `make up` starts the fleet.")
    command = _command(asked, project, listed)
    with subprocess.Popen(
        command, env=project.environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    ) as process:
        try:
            lines = (line.decode(errors="replace").rstrip("\r\n") for line in process.stdout or ())
            show(lines, sys.stdout, access=asked.name == ACCESS)
        except KeyboardInterrupt:
            sys.stdout.write("\n")
        finally:
            process.terminate()
    return 0


def _command(asked: Options, project: Project, listed: list[containers.Container]) -> list[str]:
    """Return what reads the logs of everything, of a service, or of the replica that has a slot."""
    follow = ["--follow"] if asked.follow else []
    service = "nginx" if asked.name == ACCESS else asked.name
    services = sorted({container.service for container in listed})
    if service is None or service in services:
        return [
            *project.command(),
            "logs",
            "--no-color",
            "--tail",
            str(TAIL_LINES),
            *follow,
            *([service] if service else []),
        ]
    for replica in replicas.found(project):
        if service in (replica.slot, replica.container.name):
            return [project.engine.program, "logs", "--tail", str(TAIL_LINES), *follow, replica.container.id]
    raise UsageError(f"There is no log of {service}: take one of {', '.join([*services, ACCESS])}, or a replica.")


def show(lines: Iterable[str], output: TextIO, *, access: bool) -> None:
    """Print lines as a terminal may see them; requests only when asked for, and then nothing else."""
    for line in lines:
        prefix = PREFIX.match(line)
        said = prefix[3] if prefix else line
        if is_expected(said) or (REQUEST.match(said) is not None) != access:
            continue
        head = f"{prefix[1]}{prefix[2]}| " if prefix else ""
        output.writelines(f"{head}{printable(told)}\n" for told in ([said] if access else readable(said)))
        output.flush()
