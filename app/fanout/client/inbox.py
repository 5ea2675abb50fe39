"""What has arrived and was not asked for yet: bounded in bytes, with a way to wait until there is room again."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.client.events import Event

LIMIT = 1024 * 1024
"""Bytes that wait for the user; after that the socket is not read."""
EVENT_BYTES = 1024
"""What an event counts for beside its frame: so some 1,000 small ones may wait."""


class Inbox:
    """A queue of events between one reader of the socket and one user."""

    def __init__(self, hurry: Callable[[], bool]) -> None:
        """`hurry` says whether the user waits for an answer, which can only be found by reading on."""
        self._hurry = hurry
        self._events: deque[tuple[Event, int]] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._freed = asyncio.Event()
        self._ended = False
        self.waiting = False
        """Whether the reader waits for room."""
        self.waits = 0
        """How often it had to."""

    @property
    def has_room(self) -> bool:
        """Whether another event may be put."""
        return self._bytes < LIMIT

    @property
    def is_calm(self) -> bool:
        """Whether so much was taken that it is worth while to go on."""
        return self._bytes <= LIMIT // 2

    def put(self, event: Event, size: int) -> None:
        """Add an event that came in a frame of `size` bytes."""
        self._events.append((event, size + EVENT_BYTES))
        self._bytes += size + EVENT_BYTES
        self._arrived.set()

    async def get(self) -> Event | None:
        """Return the next event; None when there will be none."""
        while not self._events:
            if self._ended:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        event, size = self._events.popleft()
        self._bytes -= size
        self.look()
        return event

    async def room(self) -> None:
        """Return when much was taken, or the user is in a hurry."""
        self.waiting = True
        self.waits += 1
        try:
            while not (self.is_calm or self._hurry()):
                self._freed.clear()
                await self._freed.wait()
        finally:
            self.waiting = False

    def look(self) -> None:
        """Let who waits for room look again."""
        self._freed.set()

    def end(self) -> None:
        """Nothing will be put any more."""
        self._ended = True
        self._arrived.set()
