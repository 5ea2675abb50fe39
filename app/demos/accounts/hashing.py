"""Password hashes, one at a time in a process: each takes 0.3 s of a core, and a replica has other things to do.

Who waits holds a thread, so there are few who may; the event loop waits for nobody.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

WAITING = 8
"""Threads that wait for their turn at most; one more is refused at once."""
WAIT_SECONDS = 5.0
"""That each of them waits: as long as all before it take on a busy machine."""
RETRY_AFTER = 5
"""Seconds: by then those who wait have had their turn or gone."""

_hashing = threading.Lock()
_places = threading.BoundedSemaphore(WAITING + 1)


class Busy(Exception):
    """Too many passwords are looked at in this process."""


@contextmanager
def turn() -> Iterator[None]:
    """Hash within it; nobody else of this process does. Raise Busy."""
    if not _places.acquire(blocking=False):
        raise Busy
    try:
        if not _hashing.acquire(timeout=WAIT_SECONDS):
            raise Busy
        try:
            yield
        finally:
            _hashing.release()
    finally:
        _places.release()
