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
"""KEYS looks at all of them: 0.03 to 0.3 s, as fast as the machine is."""
HELD_SECONDS = 0.3
"""For which a client has Redis to itself, with so many KEYS in one transaction: the alert begins at 0.1 s."""
KEYS_A_CALL = 20_000
FILL = "for i = ARGV[1], ARGV[1] + ARGV[2] - 1 do redis.call('SET', 'somebody-elses-' .. i, i) end"
ASK = """
import math, sys, time, redis
path, held = sys.argv[1], float(sys.argv[2])
with redis.Redis(unix_socket_path=path) as client:
    def seconds(times):
        began = time.perf_counter()
        with client.pipeline(transaction=True) as asked:
            for _ in range(times):
                asked.keys("nobody-has-this-*")
            asked.execute()
        return time.perf_counter() - began
    times = math.ceil(held / min(seconds(1) for _ in range(3)))
    while True:
        seconds(times)
        time.sleep(0.02)
"""


@contextlib.contextmanager
def slow(stand: Stand) -> Iterator[None]:
    """Fill Redis with keys, and ask for all of them beside the drill."""
    path = str(stand.run.redis / "redis.sock")
    with Redis(unix_socket_path=path) as redis:
        for first in range(0, KEYS, KEYS_A_CALL):
            redis.eval(FILL, 0, str(first), str(KEYS_A_CALL))
    with stand.alongside([sys.executable, "-c", ASK, path, str(HELD_SECONDS)]):
        yield


DRILL = Drill(
    name="redis-slow",
    alert="FanoutRedisSlow",
    text=f"a client asks Redis for all of {KEYS:,} keys, again and again",
    breaks=slow,
    step="Somebody asks for everything",
)
