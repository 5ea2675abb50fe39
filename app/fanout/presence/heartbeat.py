"""Which processes of the fleet live: each beats in Redis; one that dies without a word is gone within 15 s."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

from fanout.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.layers import FanoutLayer

BEAT_EVERY = 2.0
"""Seconds between two beats; each is one small call of Redis a process."""
AGAIN_AFTER = 0.5
"""Seconds before a beat that Redis did not take is repeated."""
STALE_AFTER = 6.0
"""Seconds without a beat after which a process is doubted: one beat may be lost, with the 2 s that it waits."""
DOUBTS = 3
"""Beats of ours in which a process has to be doubted before it is gone: a Redis that has forgotten everything gives
the others the time between them to beat again. With STALE_AFTER 12 s at most; 15 s are promised."""
FORGOTTEN = 30
"""Beats of ours in which a process has to be doubted before it is forgotten: a minute, as in Redis. One that only stood
still for so long tells everything anew by itself."""


class Heartbeat:
    """This process's own beat, and what it learns of the others by it."""

    def __init__(
        self,
        layer: FanoutLayer,
        on_gone: Callable[[frozenset[str]], None],
        on_back: Callable[[], None],
    ) -> None:
        self.process = secrets.token_hex(4)
        """Names this process among all that ever were."""
        self._layer = layer
        self._on_gone = on_gone
        self._on_back = on_back
        self._doubts: Counter[str] = Counter()
        self._known: set[str] = set()
        self._numbers = count(1)
        self._beaten_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    def next_number(self) -> int:
        """Return a number greater than all before: it orders what this process says."""
        return next(self._numbers)

    def start(self) -> None:
        """Beat from now on. Harmless when repeated."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Beat no more."""
        if self._task is not None:
            self._task.cancel()

    async def beat(self) -> frozenset[str]:
        """Say that this process lives; return who else does. Raise Unavailable."""
        return frozenset(await self._layer.beat(self.process, STALE_AFTER))

    async def _run(self) -> None:
        while True:
            try:
                self._judge(await self.beat())
            except Unavailable:
                await asyncio.sleep(AGAIN_AFTER)
            else:
                await asyncio.sleep(BEAT_EVERY)

    def _judge(self, alive: frozenset[str]) -> None:
        now = asyncio.get_running_loop().time()
        paused = self._beaten_at is not None and now - self._beaten_at > STALE_AFTER
        self._beaten_at = now
        back = any(self._doubts[process] >= DOUBTS for process in alive)
        for process in alive:
            self._doubts.pop(process, None)
        self._known |= alive
        if not paused:  # else Redis was away for the others as well, or it was we who stood still
            self._doubts.update(self._known - alive)
            gone = frozenset(process for process, doubts in self._doubts.items() if doubts == DOUBTS)
            if gone:
                self._on_gone(gone)
            for process in [process for process, doubts in self._doubts.items() if doubts >= FORGOTTEN]:
                del self._doubts[process]
                self._known.discard(process)
        if back or paused:
            self._on_back()
