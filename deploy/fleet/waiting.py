"""Waits until something holds, and never longer than said."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.05  # asking costs less than a millisecond


def until(holds: Callable[[], bool], seconds: float, every: float = POLL_SECONDS) -> bool:
    """Return whether it held within that many seconds; asked at least once, `every` so many."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True
