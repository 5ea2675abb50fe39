"""How fast an HTTP answer may be made: as fast as its client reads it."""

from __future__ import annotations

import asyncio


class Pace:
    """Twisted's producer of one answer: `send` of the application waits while too much of it is queued."""

    def __init__(self) -> None:
        self._free = asyncio.Event()
        self._free.set()

    def pauseProducing(self) -> None:
        """Twisted has more than a buffer full (64 KiB)."""
        self._free.clear()

    def resumeProducing(self) -> None:
        """Twisted's buffer is empty, or nobody waits for it any more."""
        self._free.set()

    stopProducing = resumeProducing

    async def resumed(self, seconds: float) -> bool:
        """Return when there is room, or False after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._free.wait()
        except TimeoutError:
            return False
        return True
