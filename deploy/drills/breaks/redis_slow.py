"""Somebody asks Redis for everything, again and again: all others wait for that."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from redis import Redis

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

KEYS = 400_000
"""KEYS looks at all of them: 0.1 to 0.3 s on this class of machine."""
KEYS_A_CALL = 20_000
FILL = "for i = ARGV[1], ARGV[1] + ARGV[2] - 1 do redis.call('SET', 'somebody-elses-' .. i, i) end"
ASK = """
import sys, time, redis
with redis.Redis(unix_socket_path=sys.argv[1]) as client:
    while True:
        client.keys("nobody-has-this-*")
        time.sleep(0.02)
"""


@contextlib.contextmanager
def slow(stand: Stand) -> Iterator[None]:
    """Fill Redis with keys, and ask for all of them beside the drill."""
    path = str(stand.run.redis / "redis.sock")
    with Redis(unix_socket_path=path) as redis:
        for first in range(0, KEYS, KEYS_A_CALL):
            redis.eval(FILL, 0, str(first), str(KEYS_A_CALL))
    with stand.alongside([sys.executable, "-c", ASK, path]):
        yield


DRILL = Drill(
    name="redis-slow",
    alert="FanoutRedisSlow",
    text=f"a client asks Redis for all of {KEYS:,} keys, again and again",
    breaks=slow,
    step="Somebody asks for everything",
)
