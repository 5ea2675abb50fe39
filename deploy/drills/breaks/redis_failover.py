"""The master of Redis is killed; Sentinel promotes its replica."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError

from drills.drill import Drill
from drills.errors import DrillError
from fleet import waiting
from fleet.packages import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

SERVICE = "drill"
DOWN_AFTER_MS = 5000
"""Silence after which Sentinel takes a master for dead: as many have it; its own default is 30 s."""
FAILOVER_MS = 5000
READY_SECONDS = 30.0
PLAIN = ("--save", "", "--appendonly", "no", "--set-proc-title", "no", "--bind", "127.0.0.1")
"""The title would be written over the environment, by which the guard knows what it has to end."""


def under_sentinel(stand: Stand) -> dict[str, str]:
    """Start a master, its replica and a Sentinel; the exporter sees the replica, which will be the master."""
    master, replica, sentinel = stand.spare_ports[:3]
    socket = str(stand.folder / "replica.sock")
    stand.redis = f"unix://{socket}"
    redis = require("redis-server")
    stand.beside([redis, "--port", str(master), *PLAIN], name="master")
    stand.beside(
        [redis, "--port", str(replica), "--unixsocket", socket, "--repl-diskless-sync-delay", "0",
         "--replicaof", "127.0.0.1", str(master), *PLAIN],
        name="replica",
    )  # fmt: skip
    if not waiting.until(lambda: ask(replica, "role")[:1] == [b"slave"] and in_sync(replica), READY_SECONDS):
        raise DrillError("Redis' replica does not follow its master.")
    (stand.folder / "sentinel.conf").write_text(
        f"port {sentinel}\nbind 127.0.0.1\nset-proc-title no\n"
        f"sentinel monitor {SERVICE} 127.0.0.1 {master} 1\n"
        f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
        f"sentinel failover-timeout {SERVICE} {FAILOVER_MS}\n",
        encoding="utf-8",
    )
    stand.beside([redis, str(stand.folder / "sentinel.conf"), "--sentinel"], name="sentinel")
    if not waiting.until(lambda: bool(ask(sentinel, "sentinel", "replicas", SERVICE)), READY_SECONDS):
        raise DrillError("Sentinel does not find Redis' replica.")
    return {"FANOUT_REDIS_URLS": f"sentinel://127.0.0.1:{sentinel}/{SERVICE}/0"}


def ask(port: int, *words: str) -> list[object]:
    """Return what a server answers; nothing when it does not."""
    with Redis(port=port, socket_timeout=1) as redis, contextlib.suppress(RedisError, OSError):
        answer = redis.execute_command(*words)
        return list(answer)
    return []


def in_sync(port: int) -> bool:
    """Return whether a replica has its copy."""
    return b"connected" in ask(port, "role")


@contextlib.contextmanager
def killed(stand: Stand) -> Iterator[None]:
    """SIGKILL to the master."""
    master = stand.beside_named("master")
    master.kill()
    master.wait()
    yield


DRILL = Drill(
    name="redis-failover",
    alert="FanoutRedisUnavailable",
    text="the master of Redis is killed, under Sentinel",
    breaks=killed,
    step="Start it",
    heals_itself="Sentinel promotes the replica by itself",
    prepare=under_sentinel,
)
