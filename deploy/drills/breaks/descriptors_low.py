"""A replica may open hardly more files than it has: soon nobody new gets in."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil

from drills.breaks.slow_client import deaf
from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

NAME = "web-1"
CLIENTS = 100
"""Of that one replica, so that some files are left for what it opens for a moment."""
USED_PERCENT = 85
"""Of the files that it may open; the alert comes at 80."""


@contextlib.contextmanager
def low(stand: Stand) -> Iterator[None]:
    """Lower the limit of the running process: tens of thousands of clients would take too long to come."""
    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(deaf(stand))
        process = psutil.Process(stand.run.pid(NAME))
        _, highest = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() * 100 // USED_PERCENT, highest))
        yield


DRILL = Drill(
    name="descriptors-low",
    alert="FanoutDescriptorsLow",
    text=f"{NAME} has opened {USED_PERCENT} % of the files that it may",
    breaks=low,
    step="Allow more",
    replicas=1,
)
