"""`make chaos`: does to the running fleet what happens to it anyway, some day: for runs that prove nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError

from fleet import environment, running
from fleet.change import reload_nginx
from fleet.compose.project import Project
from fleet.errors import FleetError, UsageError
from fleet.restart import restart

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

REDIS_SECONDS = 5.0
KILLED = ("pubsub", "normal")
"""Kinds of connections as Redis has them: readers, and all that send commands."""


def chaos(asked: Options, run: Run, progress: Progress) -> int:
    """Do WHAT. Raise UsageError when nothing is named."""
    if Project(run).memory.exists():
        raise UsageError(
            "`make chaos` is for MODE=native; in containers, `docker kill` and `docker pause` do it by hand."
        )
    match asked.what:
        case "restart":
            return restart(asked, run, progress)
        case "reload":
            with running.locked(run) as control:
                reload_nginx(run, control, run.recall(), progress)
        case "redis-kill":
            with running.locked(run), progress.step("kill all connections of Redis") as step:
                step.note = f"{kill_connections(environment.kept(run).get('FANOUT_REDIS_URLS', ''))} killed"
        case _:
            raise UsageError("Say what is to be done: make chaos WHAT=restart, WHAT=redis-kill or WHAT=reload.")
    return 0


def kill_connections(urls: str) -> int:
    """Cut every connection to each of the servers but this one; return how many. Raise FleetError."""
    count = 0
    for number, url in enumerate(filter(None, map(str.strip, urls.split(","))), 1):
        try:
            with Redis.from_url(url, socket_timeout=REDIS_SECONDS) as redis:
                count += sum(int(redis.client_kill_filter(_type=kind, skipme=True)) for kind in KILLED)
        except (RedisError, OSError) as error:  # its URL is not repeated: there may be a password in it
            raise FleetError(f"Redis number {number} does not take CLIENT KILL: {error}") from None
    return count
