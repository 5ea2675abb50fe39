"""Redis throws keys away when its memory is used up, as a cache does."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from redis import Redis

from drills.breaks.redis_full import HEADROOM_BYTES, PIECE_BYTES
from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

FILLING = "somebody-elses"


@contextlib.contextmanager
def evicting(stand: Stand) -> Iterator[None]:
    """Set a limit and the policy of a cache, and fill Redis to twice what it may hold."""
    with Redis(unix_socket_path=str(stand.run.redis / "redis.sock")) as redis:
        redis.config_set("maxmemory", str(redis.info("memory")["used_memory"] + HEADROOM_BYTES))
        redis.config_set("maxmemory-policy", "allkeys-lru")
        for number in range(2 * HEADROOM_BYTES // PIECE_BYTES):
            redis.set(f"{FILLING}-{number}", b"x" * PIECE_BYTES)
    yield


DRILL = Drill(
    name="redis-evicting",
    alert="RedisEvicting",
    text="Redis evicts keys, as a cache does",
    breaks=evicting,
)
