"""General channels within one process: each message waits, bounded and for a while, for exactly one receiver."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

from channels.exceptions import ChannelFull

if TYPE_CHECKING:
    from channels.layers import BaseChannelLayer


class MemoryQueues:
    """Messages by channel; senders and receivers may run on event loops of different threads."""

    def __init__(self, limits: BaseChannelLayer) -> None:
        self._limits = limits
        self._messages: defaultdict[str, deque[tuple[float, Any]]] = defaultdict(deque)
        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)
        self._lock = threading.Lock()

    def send(self, channel: str, message: Any) -> None:
        """Put a message at the end of a channel's queue. Raise ChannelFull."""
        with self._lock:
            messages, now = self._messages[channel], time.monotonic()
            while messages and messages[0][0] <= now:
                messages.popleft()
            if len(messages) >= self._limits.get_capacity(channel):
                raise ChannelFull(
                    f"{len(messages)} messages wait in {channel}: start more workers, or raise its capacity."
                )
            messages.append((now + self._limits.expiry, message))
            waiting = tuple(self._waiting.get(channel, ()))
        # All who wait look, and one finds it: none can be woken in vain and go away with the wake-up.
        for each in waiting:
            with contextlib.suppress(RuntimeError):  # its loop was closed meanwhile
                each.get_loop().call_soon_threadsafe(_wake, each)

    async def receive(self, channel: str) -> Any:
        """Return the next message of a channel; a cancelled receive takes none."""
        while True:
            waiting = asyncio.get_running_loop().create_future()
            try:
                if taken := self._take(channel, waiting):
                    return taken[0]
                await waiting
            finally:
                self._forget(channel, waiting)

    def clear(self) -> None:
        """Forget all messages."""
        with self._lock:
            self._messages.clear()

    def _take(self, channel: str, waiting: asyncio.Future[None]) -> tuple[Any] | None:
        """Take a message, or wait for one from now on."""
        with self._lock:
            messages = self._messages.get(channel)
            while messages:
                expires, message = messages.popleft()
                if expires > time.monotonic():
                    return (message,)
            self._waiting[channel].append(waiting)
        return None

    def _forget(self, channel: str, waiting: asyncio.Future[None]) -> None:
        """Leave nothing behind of a channel that is not used."""
        with self._lock:
            with contextlib.suppress(ValueError):  # it found a message at once
                self._waiting[channel].remove(waiting)
            if not self._waiting[channel]:
                del self._waiting[channel]
            if not self._messages.get(channel):
                self._messages.pop(channel, None)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
