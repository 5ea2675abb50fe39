"""Whether anybody in the fleet looks at a group: what publishes to it for them alone rests while nobody does.

A process with viewers says so once a second, and what it says holds for three. That needs no list of viewers, and ends
by itself when the process that said it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from fanout.api import apublish
from fanout.errors import FanoutError, Unavailable
from fanout.groups import kind_of
from fanout.hub import get_hub
from fanout.publishing import default_layer

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fanout.publication import Publication

SAY_EVERY = 1.0
"""Seconds between two times that a process says so."""
HOLDS = 3.0
"""Seconds for which it counts: two that are lost are no reason to stop."""
RETRY = 1.0
"""Seconds before another attempt while Redis is away."""


class Viewers:
    """Those of one group, anywhere in the fleet; the group's policy calls `come` before it lets one in."""

    def __init__(self, group: str, name: str) -> None:
        self._group = group
        self._name = name
        """Whose word it is, for who looks into Redis."""
        self._says = f"{kind_of(group)}-watch"
        """The group in which processes say that they have viewers. Its kind is nobody's, so clients are kept out."""
        self._loop = asyncio.get_running_loop()
        self._here = asyncio.Event()
        self._anywhere = asyncio.Event()
        self._until = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Listen for what others say. Harmless when repeated."""
        if not self._tasks:
            steps: list[Coroutine[Any, Any, None]] = [self._listen(), self._say()]
            self._tasks = [asyncio.create_task(step) for step in steps]

    async def stop(self) -> None:
        """Say nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def come(self) -> None:
        """Somebody is about to look, through this process."""
        self._here.set()

    @property
    def look(self) -> bool:
        """Whether somebody does."""
        return self._loop.time() < self._until

    async def wait(self) -> None:
        """Return when somebody does."""
        while not self.look:
            self._anywhere.clear()
            await self._anywhere.wait()

    async def _listen(self) -> None:
        while True:
            try:
                await default_layer().subscribe(self._says, self._heard)
            except Unavailable:
                await asyncio.sleep(RETRY)
            else:
                return

    def _heard(self, _publication: Publication) -> None:
        self._until = self._loop.time() + HOLDS
        self._anywhere.set()

    async def _say(self) -> None:
        while True:
            await self._here.wait()
            self._here.clear()
            with contextlib.suppress(FanoutError):  # while Redis is away there is nothing to see either
                await apublish(self._says, self._name)
            await asyncio.sleep(SAY_EVERY)
            if get_hub().groups.get(self._group):
                self._here.set()
