"""The hub's way to a client over HTTP: parcels wait in a bounded outbox until its stream or its poll takes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from fanout import close_codes
from fanout.counters import counters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanout.http.parcels import Parcel


class OutboxBroadcaster:
    """Puts the same parcels into many outboxes; see Broadcaster."""

    def broadcast(self, sockets: Iterable[Outbox], payloads: Sequence[bytes], limit: int) -> None:
        """See Broadcaster."""
        size = sum(map(len, payloads))
        for socket in sockets:
            if socket.queued_bytes + size > limit:
                socket.overflow()
            else:
                socket.put(*cast("Sequence[Parcel]", payloads))

    def offer(self, sockets: Iterable[Outbox], payloads: Sequence[bytes]) -> list[Outbox]:
        """See Broadcaster."""
        late = []
        for socket in sockets:
            if socket.queued_bytes:
                late.append(socket)
            else:
                socket.put(*cast("Sequence[Parcel]", payloads))
        return late


class Outbox:
    """What the hub writes to, and somebody else reads from. Of a Socket it has what the hub uses."""

    broadcaster = OutboxBroadcaster()

    def __init__(self, changed: asyncio.Event | None = None) -> None:
        self._parcels: list[Parcel] = []
        self._changed = changed or asyncio.Event()
        self.queued_bytes = 0
        """What waits, and what was taken and is not `delivered`."""
        self.closed = asyncio.Event()
        """It takes nothing more: the client read too slowly, or has to go."""

    def put(self, *parcels: Parcel) -> None:
        """Add parcels; whoever waits is woken."""
        if not self.closed.is_set():
            self._parcels += parcels
            self.queued_bytes += sum(map(len, parcels))
            self._changed.set()

    def overflow(self) -> None:
        """Take nothing more: the client comes back behind its position."""
        counters.too_slow += not self.closed.is_set()
        self._parcels.clear()
        self.closed.set()

    def close(self, code: int, reason: str) -> None:  # noqa: ARG002 - HTTP has no words for the end of an answer
        """See Socket."""
        if code == close_codes.TOO_SLOW:
            self.overflow()
        self._parcels.clear()
        self.closed.set()

    def wake(self) -> None:
        """Let whoever waits look again."""
        self._changed.set()

    async def changed(self, limit: float) -> bool:
        """Return whether there was something within so many seconds: parcels, an overflow, a call of `wake`."""
        try:
            async with asyncio.timeout(limit):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    def take(self) -> list[Parcel]:
        """Return what waits, and forget it."""
        parcels, self._parcels = self._parcels, []
        return parcels

    def delivered(self, parcels: Sequence[Parcel]) -> None:
        """The client has these, as far as anyone can tell."""
        self.queued_bytes -= sum(map(len, parcels))
