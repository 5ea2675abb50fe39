"""At once, and then not too often."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Throttle:
    """Calls `callback` at once if it was not called within `interval` seconds, else once at the interval's end."""

    __slots__ = ("_callback", "_called_at", "_interval", "_timer")

    def __init__(self, interval: float, callback: Callable[[], None]) -> None:
        self._interval = interval
        self._callback = callback
        self._called_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        """Call, now or later."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._called_at + self._interval - loop.time()
        if wait <= 0:
            self.now()
        else:
            self._timer = loop.call_later(wait, self.now)

    def now(self) -> None:
        """Call at once; what was to come at the interval's end is done with that."""
        self.cancel()
        self._called_at = asyncio.get_running_loop().time()
        self._callback()

    def cancel(self) -> None:
        """Call no more for what was asked so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
