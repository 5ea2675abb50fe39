"""Redis has used up the memory that it may use: publications that are kept are refused."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import OutOfMemoryError

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

HEADROOM_BYTES = 8 * 1024 * 1024
"""Between what Redis uses and its limit, before somebody fills it."""
PIECE_BYTES = 64 * 1024
FILLING = "somebody-elses"


@contextlib.contextmanager
def full(stand: Stand) -> Iterator[None]:
    """Set a limit, and fill Redis until it refuses."""
    with Redis(unix_socket_path=str(stand.run.redis / "redis.sock")) as redis:
        redis.config_set("maxmemory", str(redis.info("memory")["used_memory"] + HEADROOM_BYTES))
        with contextlib.suppress(OutOfMemoryError):
            while True:
                redis.rpush(FILLING, b"x" * PIECE_BYTES)
    yield


DRILL = Drill(
    name="redis-full",
    alert="RedisMemoryNearLimit",
    text="Redis has no memory left (maxmemory)",
    breaks=full,
    step="Give it more",
)
