"""The event loop of a replica stands still again and again, as under a consumer that computes."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

NAME = "web-1"
STILL_SECONDS, RUN_SECONDS = 0.4, 0.4
STUTTER = """
import os, signal, sys, time
number, still, run = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
try:
    while True:
        os.kill(number, signal.SIGSTOP)
        time.sleep(still)
        os.kill(number, signal.SIGCONT)
        time.sleep(run)
except ProcessLookupError:
    pass
"""
"""Ends with the process: the one that takes its place runs freely."""


@contextlib.contextmanager
def stuttering(stand: Stand) -> Iterator[None]:
    """Stop the process for a part of each second: nothing in it runs, as when its one thread computes."""
    words = (str(stand.run.pid(NAME)), str(STILL_SECONDS), str(RUN_SECONDS))
    with stand.alongside([sys.executable, "-c", STUTTER, *words], "stutter"):
        yield


DRILL = Drill(
    name="loop-late",
    alert="FanoutLoopLag",
    text=f"the event loop of {NAME} stands still for {STILL_SECONDS:g} s, again and again",
    breaks=stuttering,
    step="One that is stuck",
)
