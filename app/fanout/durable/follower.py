"""A socket that has not caught up with its durable group: it gets the stream in portions, as fast as it reads."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from fanout import close_codes
from fanout.counters import counters
from fanout.errors import Unavailable
from fanout.sockets import TOO_SLOW_REASON

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.delivery import Delivery
    from fanout.durable.recovery import Recovery
    from fanout.members import Subscription
    from fanout.positions import Position

logger = logging.getLogger(__name__)

STALL_LIMIT = 20.0
"""Seconds in which a socket has to take something of what waits for it. The kernel holds up to some 200 KiB on a unix
socket and tells only when most of it is read: a reader of 10 KB/s is slow, not still."""
LOOK_EVERY = 0.005, 0.1
"""Seconds between two looks at what waits: the shortest where it moves, the longest where it does not."""
RETRY = 0.5
"""Seconds before a read is repeated while Redis is away."""

_writing: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""One portion a turn of the loop, however many catch up: everything else has its turn between them."""


class Follower:
    """Sends what lies behind a position until nothing does, then calls `arrived`.

    It holds a position, no publications. What is trimmed, or lost, before the socket has got it is told as a
    reset. A socket that takes nothing is closed with 4008 within STALL_LIMIT; it may come back behind its position.
    """

    def __init__(
        self,
        subscription: Subscription,
        recovery: Recovery,
        delivery: Delivery,
        since: Position,
        arrived: Callable[[], None],
    ) -> None:
        self._group, self._socket, self._encoder = subscription.group, subscription.socket, subscription.encoder
        self._recovery = recovery
        self._delivery = delivery
        self._since = since
        self._arrived = arrived
        loop = asyncio.get_running_loop()
        self._writing = _writing.get(loop) or _writing.setdefault(loop, asyncio.Lock())
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Send nothing more."""
        self._task.cancel()

    async def _run(self) -> None:
        try:
            while await self._has_room():
                if await self._is_level():
                    return
        except Exception:  # who waits in vain must be able to come back
            logger.exception("could not go on with a socket of %s", self._group)
            self._socket.close(close_codes.INTERNAL_ERROR, "The replica failed; reconnect to go on.")

    async def _is_level(self) -> bool:
        """Send the next portion unless Redis is away; return whether there is none."""
        try:
            async with self._recovery.turn:
                return await self._step()
        except Unavailable:
            await asyncio.sleep(RETRY)
            return False

    async def _step(self) -> bool:
        """Send the next portion; return whether the socket is level with the group now."""
        found = await self._recovery.behind(self._since)
        if isinstance(found, str):
            self._since = self._recovery.position
            counters.resets[found] += 1
            self._send(self._encoder.reset(self._group, self._since, found))
        elif found:
            async with self._writing:
                if self._waits > self._delivery.portion // 2:  # as another group's follower has written meanwhile
                    return False
                self._send(*map(self._encoder.publication, found))
                self._since = found[-1].position or self._since
                await asyncio.sleep(0)  # held until the turn is over: the next portion waits for the next one
        elif self._delivery.crowded:
            await asyncio.sleep(LOOK_EVERY[0])
        else:
            self._arrived()
            return True
        return False

    def _send(self, *payloads: bytes | None) -> None:
        told = [payload for payload in payloads if payload is not None]
        self._socket.broadcaster.broadcast((self._socket,), told, self._delivery.limit)

    @property
    def _waits(self) -> int:
        return self._socket.queued_bytes

    async def _has_room(self) -> bool:
        """Wait until little waits for the socket; close it and return False when it takes nothing."""
        loop, (pause, longest) = asyncio.get_running_loop(), LOOK_EVERY
        seen, moved_at = self._waits, loop.time()
        while (waits := self._waits) > self._delivery.portion // 2:
            if waits < seen:
                moved_at, pause = loop.time(), LOOK_EVERY[0]
            elif loop.time() - moved_at > STALL_LIMIT:
                self._socket.close(close_codes.TOO_SLOW, TOO_SLOW_REASON)
                return False
            seen = waits
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
        return True
