"""`make chaos`: does to the running fleet what happens to it anyway, some day: for runs that prove nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError

from fleet import environment, running
from fleet.change import reload_nginx
from fleet.compose.chaos import KINDS
from fleet.configuration import is_own_redis
from fleet.errors import FleetError
from fleet.restart import restart

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

REDIS_SECONDS = 5.0


def chaos(asked: Options, run: Run, progress: Progress) -> int:
    """Do WHAT. Raise FleetError."""
    match asked.what:
        case "restart":
            return restart(asked, run, progress)
        case "reload":
            with running.locked(run) as control:
                reload_nginx(run, control, run.recall(), progress)
        case "redis-kill":
            with running.locked(run), progress.step("kill all connections of Redis") as step:
                step.note = f"{kill_connections(_urls(run))} killed"
    return 0


def _urls(run: Run) -> str:
    """Return the fleet's servers: its own with the rights of operators, others as the application reaches them."""
    variables = environment.kept(run)
    return environment.operators_redis_url(run) if is_own_redis(variables, run) else variables["FANOUT_REDIS_URLS"]


def kill_connections(urls: str) -> int:
    """Cut every connection to each of the servers but this one; return how many. Raise FleetError."""
    count = 0
    for number, url in enumerate(filter(None, map(str.strip, urls.split(","))), 1):
        try:
            with Redis.from_url(url, socket_timeout=REDIS_SECONDS) as redis:
                count += sum(int(redis.client_kill_filter(_type=kind, skipme=True)) for kind in KINDS)
        except (RedisError, OSError) as error:  # its URL is not repeated: there may be a password in it
            raise FleetError(f"Redis number {number} does not take CLIENT KILL: {error}") from None
    return count
