"""The supervisor's configuration, made from the settings: which programs, in which order, ended how."""

from __future__ import annotations

import shlex
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.options import REPOSITORY
from fleet.state import WORKER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fleet.state import Run, Settings

APP = REPOSITORY / "app"
REDIS_CONF = REPOSITORY / "deploy" / "redis.conf"

DRAIN_SECONDS = 40  # a replica closes its sockets in paced batches; the server itself gives up after 30
WORKER_SECONDS = 10  # it lets go of what it does, which is made for that
EDGE_SECONDS = 10  # responses under way; replicas have gone before, so no socket is left
REDIS_SECONDS = 20  # one last write of the append-only file
ALIVE_SECONDS = 1  # what lives that long has started, and is started again at once when it dies
HEADING = "; Written by `make up`; changes here are overwritten."
TRIES = 50  # each a second later than the one before: twenty minutes of trying


@dataclass(frozen=True)
class Program:
    """One process that the supervisor keeps alive."""

    name: str
    command: str
    """For /bin/sh; ends in `exec`, so that the process id is the program's own."""
    directory: Path
    priority: int
    stop_signal: signal.Signals
    stop_seconds: int
    output: str | None = None
    """A log of its own for standard output; None: one log for both."""


def programs(run: Run, settings: Settings, redis: str | None, nginx: str) -> list[Program]:
    """Return what the fleet consists of, first to start first."""
    own = [_redis(run, redis)] if redis and settings.own_redis else []
    return [*own, *(_replica(run, name) for name in settings.names), _worker(run), _nginx(run, nginx)]


def _redis(run: Run, binary: str) -> Program:
    command = shlex.join([
        binary, str(REDIS_CONF),
        "--unixsocket", str(run.redis / "redis.sock"),
        "--dir", str(run.redis),
        "--pidfile", str(run.pid_file("redis")),
        "--aclfile", str(run.accounts),
    ])  # fmt: skip
    return Program("redis", f"exec {command}", run.redis, 100, signal.SIGTERM, REDIS_SECONDS)


def _replica(run: Run, name: str) -> Program:
    command = shlex.join([
        sys.executable, "-m", "server", "--name", name,
        "--socket-dir", str(run.sockets), "--pid-file", str(run.pid_file(name)),
    ])  # fmt: skip
    return Program(name, _with_variables(run, command), APP, 200, signal.SIGTERM, DRAIN_SECONDS)


def _worker(run: Run) -> Program:
    command = shlex.join([
        sys.executable, "manage.py", "worker",
        "--socket", str(run.socket(WORKER)), "--pid-file", str(run.pid_file(WORKER)),
    ])  # fmt: skip
    return Program(WORKER, _with_variables(run, command), APP, 250, signal.SIGTERM, WORKER_SECONDS)


def _with_variables(run: Run, command: str) -> str:
    return f". {shlex.quote(str(run.environment))} && exec {command}"


def _nginx(run: Run, binary: str) -> Program:
    """Workers outlive a killed master and keep its port: the new master first ends those."""
    sweep = f"PYTHONPATH={shlex.quote(str(REPOSITORY / 'deploy'))} " + shlex.join(
        [sys.executable, "-m", "fleet.orphans", str(run.root), "nginx"]
    )
    command = shlex.join([binary, "-e", "stderr", "-p", str(run.nginx), "-c", str(run.nginx_configuration)])
    return Program("nginx", f"{sweep} && exec {command}", run.nginx, 300, signal.SIGQUIT, EDGE_SECONDS, output="access")


def render(run: Run, programs: Sequence[Program], user: str) -> str:
    """Return `supervisord.conf`."""
    return "\n".join([_head(run, user), *(_section(run, program) for program in programs)])


def _head(run: Run, user: str) -> str:
    return f"""\
{HEADING} http://supervisord.org/configuration.html
[unix_http_server]
file = {run.control}
chmod = 0600

[supervisord]
user = {user}
directory = {run.root}
pidfile = {run.pid_file("supervisor")}
logfile = {run.logs / "supervisor.log"}
logfile_maxbytes = 2MB
logfile_backups = 1
childlogdir = {run.logs}
identifier = fleet
umask = 077

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""


def _section(run: Run, program: Program) -> str:
    log = run.logs / f"{program.name}.log"
    output = run.logs / f"{program.output}.log" if program.output else log
    return f"""\
[program:{program.name}]
command = {shlex.join(["/bin/sh", "-c", program.command])}
directory = {program.directory}
priority = {program.priority}
autorestart = true
startsecs = {ALIVE_SECONDS}
startretries = {TRIES}
stopsignal = {program.stop_signal.name.removeprefix("SIG")}
stopwaitsecs = {program.stop_seconds}
killasgroup = true
redirect_stderr = {"false" if program.output else "true"}
stdout_logfile = {output}
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
stderr_logfile = {"NONE" if not program.output else log}
stderr_logfile_maxbytes = 10MB
stderr_logfile_backups = 3
"""
