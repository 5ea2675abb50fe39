"""What a replica knows of itself, and tells the application by the ASGI extension `fanout.replica`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from server.sockets import queued_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from server.server import Server

LOOKS = 200
"""Sockets that are looked at in a row."""


class Status:
    """That of one server, from now on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._started = time.monotonic()

    def extension(self) -> dict[str, Any]:
        """Return the extension."""
        return {
            "name": self._server.name,
            "status": self.facts,
            "draining": self._server.draining,
            "queued_bytes": self.queued_bytes,
            "neighbours": self._server.ports.neighbours,
        }

    def facts(self) -> dict[str, Any]:
        """Return open WebSockets, uptime in seconds, whether it drains, and how many were too slow."""
        return {
            "connections": len(self._server.open_sockets()),
            "uptime": time.monotonic() - self._started,
            "draining": self._server.draining.is_set(),
            "too_slow": self._server.too_slow,
        }

    async def queued_bytes(self) -> int:
        """Return what waits in this process for all WebSockets; looks at some at a time."""
        queued = 0
        for part in slices_of(self._server.open_sockets(), LOOKS):
            queued += sum(queued_bytes(socket.transport) for socket in part if socket.state == socket.STATE_OPEN)
            await asyncio.sleep(0)
        return queued


def slices_of(items: list[Any], size: int) -> Iterator[list[Any]]:
    """Yield the items, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
