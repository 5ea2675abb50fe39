"""Backpressure: one client that talks faster than it is served can't fill the memory or take the replica's loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from server.websocket import ReplicaWebSocket

PAUSE_AT = 64
"""Messages that wait for the application before the client's socket is not read any more."""
PAUSE_AT_BYTES = 1024 * 1024
"""The same in bytes."""
TURN = 16
"""Messages that one client may have served in a row before everybody else has a turn."""
READ_BYTES = 8192
"""Bytes of one read: a thousand tiny frames take tens of milliseconds to parse, 64 KiB of them a quarter second."""


class Pace:
    """What one WebSocket has sent and the application has not taken yet."""

    __slots__ = ("_bytes", "_messages", "_paused", "_protocol", "_served", "_sizes")

    def __init__(self, protocol: ReplicaWebSocket) -> None:
        self._protocol = protocol
        self._sizes: list[int] = []
        self._bytes = 0
        self._served = 0
        self._paused = False

    def arrived(self, size: int) -> None:
        """Count a message; stop reading when too much waits."""
        self._sizes.append(size)
        self._bytes += size
        if not self._paused and (len(self._sizes) >= PAUSE_AT or self._bytes >= PAUSE_AT_BYTES):
            self._paused = True
            self._protocol.transport.pauseProducing()

    def taken(self) -> None:
        """Uncount a message; read on when half of it is gone."""
        if not self._sizes:  # the disconnect, which no message brought
            return
        self._bytes -= self._sizes.pop(0)
        if self._paused and len(self._sizes) <= PAUSE_AT // 2 and self._bytes <= PAUSE_AT_BYTES // 2:
            self._paused = False
            if not self._protocol.transport.disconnecting:
                self._protocol.transport.resumeProducing()

    def receiving(self, receive: Callable[[], Awaitable[dict[str, Any]]]) -> Callable[[], Awaitable[dict[str, Any]]]:
        """Return `receive`, counting, and fair to the other connections."""

        async def paced() -> dict[str, Any]:
            message = await receive()
            if message["type"] == "websocket.receive":
                self.taken()
                self._served += 1
                if self._served % TURN == 0:
                    await asyncio.sleep(0)
            return message

        return paced
