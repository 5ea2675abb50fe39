"""The servers that are measured: ours, the stock control, and what else a reader can install."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.meter import Meter
from bench.processes import running
from fleet import packages
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BIN = Path(sys.executable).parent
APP, LOADTEST = REPOSITORY / "app", REPOSITORY / "loadtest"
NEVER = "86400"
"""Seconds between keepalive pings, on every side: only publications travel while something is measured."""


@dataclass(frozen=True)
class Server:
    """One running server process."""

    path: Path
    """Its unix socket."""
    pid: int

    @property
    def meter(self) -> Meter:
        """Its counters."""
        return Meter(self.pid)


@dataclass(frozen=True)
class Side:
    """One column."""

    name: str
    application: str
    command: Callable[[str, Path], list[str]]
    """Application and socket to command line."""
    coalescing: str = "none"
    durable: bool = False
    room: str = "/ws/chat/"
    """Path whose clients are all in one group."""
    other_room: str = "/ws/chat/other/"
    """Path of another group."""
    subprotocol: str = ""
    """What the clients offer; empty: plain clients."""
    extensions: str = ""
    """What else they offer."""

    @contextmanager
    def start(self, folder: Path, slot: str = "web-1") -> Iterator[Server]:
        """Run one server of this side on `<folder>/<slot>.sock`, with the Redis of that folder."""
        path = folder / f"{slot}.sock"
        command, log = self.command(self.application, path), folder / f"{self.name}-{slot}.log"
        with running(command, cwd=folder, log=log, ready=path, **_environment(folder)) as pid:
            yield Server(path, pid)
        path.unlink(missing_ok=True)


def _environment(folder: Path) -> dict[str, str]:
    redis = redis_url(folder)
    return {
        "BENCH_REDIS": redis, "FANOUT_REDIS_URLS": redis, "FANOUT_STATE_DIR": str(folder),
        "FANOUT_LOG_LEVEL": "WARNING", "PYTHONPATH": f"{APP}{os.pathsep}{LOADTEST}",
    }  # fmt: skip


def migrate(folder: Path) -> None:
    """Make the database of a folder, as `make up` does: a replica without one looks for it each second, at 3 ms."""
    done = subprocess.run(
        [sys.executable, str(APP / "manage.py"), "migrate", "--no-input", "--verbosity", "0"],
        env={**os.environ, **_environment(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BenchError(f"The database of the benchmark can't be made: {done.stderr.strip()}")


def redis_url(folder: Path) -> str:
    """Return where the Redis of a folder is."""
    return f"unix://{folder / 'redis.sock'}"


@contextmanager
def redis(folder: Path) -> Iterator[Server]:
    """Run a Redis as the fleet runs it."""
    path = folder / "redis.sock"
    conf = REPOSITORY / "deploy" / "redis.conf"
    command = [packages.require("redis-server"), str(conf), "--unixsocket", str(path), "--dir", str(folder)]
    with running(command, cwd=folder, log=folder / "redis.log", ready=path) as pid:
        yield Server(path, pid)


def _replica(application: str, path: Path) -> list[str]:
    where = ["--name", path.stem, "--socket-dir", str(path.parent)]
    return [sys.executable, "-m", "server", application, *where, "--ping-interval", NEVER]


def _daphne(application: str, path: Path) -> list[str]:
    quiet = ["--access-log", os.devnull, "--ping-interval", NEVER]
    return [str(BIN / "daphne"), "-u", str(path), *quiet, application]


def _deflating(application: str, path: Path) -> list[str]:
    quiet = ["--access-log", os.devnull, "--ping-interval", NEVER]
    return [sys.executable, "-m", "bench.projects.deflating", "-u", str(path), *quiet, application]


def _uvicorn(application: str, path: Path) -> list[str]:
    quiet = ["--log-level", "warning", "--ws-ping-interval", NEVER]
    return [str(BIN / "uvicorn"), "--uds", str(path), "--lifespan", "off", *quiet, application]


def _granian(application: str, path: Path) -> list[str]:
    quiet = ["--log-level", "warning", "--no-access-log", "--workers-kill-timeout", "2"]
    return [str(BIN / "granian"), "--uds", str(path), "--interface", "asginl", *quiet, application]


def _hypercorn(application: str, path: Path) -> list[str]:
    quiet = ["--log-level", "warning", "--backlog", "4096"]
    return [str(BIN / "hypercorn"), "--bind", f"unix:{path}", *quiet, application]


TUTORIAL = "bench.projects.stock:application"
OURS = Side("ours", "config.asgi:application", _replica, coalescing="20 ms", durable=True)
FANOUT_V1 = Side(
    "ours, fanout.v1", OURS.application, _replica, OURS.coalescing, OURS.durable, "/ws/", subprotocol="fanout.v1"
)
WITH_KINDS = replace(OURS, application="bench.projects.ours:application", other_room="/ws/bench/immediate/")
"""The same, and beside the chat the benchmark's kinds of groups."""
STOCK = Side("stock", TUTORIAL, _daphne)
DEFLATING = Side("deflating", TUTORIAL, _deflating, extensions="permessage-deflate")
OTHERS = (
    Side("uvicorn", TUTORIAL, _uvicorn),
    Side("granian", TUTORIAL, _granian),
    Side("hypercorn", TUTORIAL, _hypercorn),
)
"""The stock consumer and layer on other servers."""


def kind(name: str, *, coalescing: str, durable: bool) -> Side:
    """Return ours with the groups of one of the benchmark's kinds."""
    room = f"/ws/bench/{name}/"
    return replace(WITH_KINDS, name=f"ours, {name}", coalescing=coalescing, durable=durable, room=room)
