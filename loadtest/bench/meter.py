"""CPU and memory of a server: its process and all that it has started."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = 0.005
"""CPU seconds in a look below which a server counts as settled."""
LOOK = 0.2
"""Seconds between two looks."""
SETTLE_LIMIT = 8.0
"""Seconds after which a server that never comes to rest is measured as it is."""


@dataclass(frozen=True)
class Meter:
    """Reads one server's counters."""

    pid: int

    def cpu(self) -> float:
        """Return user and system seconds of all threads of the server's processes, to the nanosecond."""
        return self.reader()()

    def reader(self) -> Callable[[], float]:
        """Return `cpu` of the processes that there are now: to look for them takes longer than to read their clocks."""
        clocks = [_cpu_clock(process.pid) for process in self._tree()]
        return lambda: sum(map(time.clock_gettime, clocks))

    def memory(self) -> int:
        """Return the bytes that the server's processes hold without a file behind them.

        Not the unique set size: a library's pages leave it while any other process maps them too.
        """
        maps = (region for process in self._tree() for region in process.memory_maps())
        return sum(region.anonymous + region.swap for region in maps)

    def settle(self) -> None:
        """Wait until the server has nothing to do."""
        end, before = time.monotonic() + SETTLE_LIMIT, self.cpu()
        while time.monotonic() < end:
            time.sleep(LOOK)
            now = self.cpu()
            if now - before < QUIET:
                return
            before = now

    def _tree(self) -> list[psutil.Process]:
        root = psutil.Process(self.pid)
        return [root, *root.children(recursive=True)]


def _cpu_clock(pid: int) -> int:
    """Return the id of a process' CPU clock, as clock_getcpuclockid(3) makes it."""
    return (~pid << 3) | 2
