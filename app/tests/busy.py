"""How busy this machine is: a promise in seconds is one of a machine that has nothing else to do."""

import asyncio
import contextlib
import os
import time

CPU_SECONDS = 0.1
PATIENCE = 10
"""Times what was promised, after which nobody waits any longer."""


def slowed():
    """By how much other work slows a process down.

    At the moment, the wall time of a computation over its CPU time; over the last minute, the processes that wanted a
    core at a time: what was judged is over by now, and what held it up may be.
    """
    began, worked = time.perf_counter(), time.process_time()
    while time.process_time() - worked < CPU_SECONDS:
        pass
    now, lately = (time.perf_counter() - began) / CPU_SECONDS, os.getloadavg()[0] / os.cpu_count()
    return max(1, now, lately)


@contextlib.asynccontextmanager
async def within(seconds):
    """Fail when the block takes longer than that, or so much longer as other work slows it down."""
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE * seconds):
        yield
    took = time.monotonic() - began
    assert took < seconds or took < seconds * slowed()
