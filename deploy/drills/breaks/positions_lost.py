"""Redis was told not to write its file, and is killed: what was said since then is lost, though it was acknowledged."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError

from drills.drill import Drill
from drills.errors import DrillError
from drills.returning import Returning
from fleet import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

GROUP = "chat.drill-lost"
BACK_SECONDS = 30.0


@contextlib.contextmanager
def lost(stand: Stand) -> Iterator[None]:
    """Say something that is not written, kill Redis, and come back to it."""
    client = Returning(stand, GROUP)
    stand.publish(GROUP, {"message": "written"})
    with Redis(unix_socket_path=str(stand.run.redis / "redis.sock")) as redis:
        redis.config_set("appendonly", "no")
        stand.publish(GROUP, {"message": "not written"})
        client.leave()
        os.kill(stand.run.pid("redis") or 0, signal.SIGKILL)
        if not waiting.until(lambda: answers(redis), BACK_SECONDS):
            raise DrillError("Redis was not started again.")
    client.come_back("lost")
    yield


def answers(redis: Redis) -> bool:
    """Return whether Redis is there."""
    with contextlib.suppress(RedisError, OSError):
        return bool(redis.ping())
    return False


DRILL = Drill(
    name="positions-lost",
    alert="FanoutPositionsLost",
    text="Redis is killed, and had been told not to write its file",
    breaks=lost,
    step="Let it have its file again",
    heals_itself="Nothing brings back what is lost: the alert ends when nobody else is told so",
)
