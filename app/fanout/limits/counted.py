"""Connections by whom they belong to, over the whole fleet: each process tells its own, and asks for all.

A process that dies is counted for STALE_AFTER more; what Redis has lost is told anew within BEAT_EVERY. While Redis is
away each process counts for itself: nobody is refused for what can't be known.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from fanout.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.layers import FanoutLayer

BEAT_EVERY = 5.0
"""Seconds between two times that a process says that it is there."""
STALE_AFTER = 16.0
"""Seconds without a word after which a process counts no more: two beats may be lost."""
TOLD_WITHIN = 0.2
"""Seconds until the fleet knows of connections that have ended, or came unasked; all of that time are told at once."""
ANSWER_SECONDS = 0.5
"""That a connection waits for the fleet's count."""
UNASKED = 32
"""Of a limit each process lets this part in unasked, and tells it with the others: most addresses never have more, and
asking costs a connection some 40 µs. So a fleet of so many replicas may exceed a limit by as much again, of three by a
tenth."""
AWAY_SECONDS = 2.0
"""In which nothing is asked of a Redis that has not answered."""


class Counted:
    """How many connections this process has of each subject, and whether the fleet has room for one more."""

    def __init__(self, layer: FanoutLayer) -> None:
        self._layer = layer
        self._process = secrets.token_hex(4)
        self._own: dict[str, int] = {}
        self._changed: set[str] = set()
        self._away_until = float("-inf")
        self._telling: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._forget_layer: Callable[[], None] = lambda: None

    def __getitem__(self, subject: str) -> int:
        return self._own.get(subject, 0)

    async def enter(self, subject: str, limit: int) -> bool:
        """Count one more unless there are `limit` already; with a limit of 0 there is always room."""
        own = self._own[subject] = self._own.get(subject, 0) + 1
        try:
            if not limit or (own <= limit and await self._has_room(subject, own, limit)):
                return True
        except BaseException:  # it is gone before it is in
            self.leave(subject)
            raise
        self.leave(subject)
        return False

    def leave(self, subject: str) -> None:
        """Count one less."""
        own = self._own.get(subject, 0) - 1
        if own > 0:
            self._own[subject] = own
        else:
            self._own.pop(subject, None)
        self._has_changed(subject)

    def stop(self) -> None:
        """Tell nothing more."""
        for task in (self._telling, self._beating):
            if task is not None:
                task.cancel()
        self._forget_layer()

    async def _has_room(self, subject: str, own: int, limit: int) -> bool:
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())
            self._forget_layer = self._layer.on_back(self._tell_all)
        if own <= limit // UNASKED:
            self._has_changed(subject)
            return True
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            return True
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._layer.claim(self._process, subject, own, limit, STALE_AFTER)
        except (Unavailable, TimeoutError):
            self._away_until = loop.time() + AWAY_SECONDS
            return True

    def _has_changed(self, *subjects: str) -> None:
        self._changed.update(subjects)
        if self._changed and self._telling is None:
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(TOLD_WITHIN)
        self._telling = None
        changed, self._changed = self._changed, set()
        await self._hold(changed)

    async def _hold(self, subjects: set[str]) -> int | None:
        """Tell the counts of some subjects; return of how many subjects the fleet knows ours."""
        try:
            return await self._layer.hold(self._process, {each: self[each] for each in subjects}, STALE_AFTER)
        except Unavailable:
            return None

    def _tell_all(self) -> None:
        self._has_changed(*self._own)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_EVERY)
            known = await self._hold(set())
            if known is not None and known != len(self._own):
                self._tell_all()
