"""How much memory this process has."""

from __future__ import annotations

import resource
from pathlib import Path

MIB = 1024 * 1024
PAGE_BYTES = resource.getpagesize()
STATM = Path("/proc/self/statm")


def memory_mib() -> float:
    """Return the memory of this process that is in RAM; where /proc does not tell, the most it ever was."""
    try:
        pages = int(STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    return round(pages * PAGE_BYTES / MIB, 1)
