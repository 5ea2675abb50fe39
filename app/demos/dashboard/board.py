"""The fleet's own board: each replica publishes its numbers while somebody, anywhere in the fleet, looks at them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from demos.dashboard.meter import TICK, Meter, memory_mib, read_now
from fanout.api import apublish
from fanout.errors import FanoutError, Unavailable
from fanout.hub import get_hub
from fanout.publishing import default_layer
from fanout.replica import EXTENSION, replica_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fanout.asgi import Application, Receive, Scope, Send
    from fanout.publication import Publication

logger = logging.getLogger(__name__)

FLEET = "dashboard.fleet"
WATCH = "dashboard-watch"
"""The group in which replicas say that they have viewers. Its kind is nobody's, so clients are kept out."""
SAY_EVERY = 1.0
"""Seconds between two times that a replica says so."""
HOLDS = 3.0
"""Seconds for which it counts: two that are lost are no reason to stop."""
RETRY = 1.0
"""Seconds before another attempt while Redis is away."""
SLOW_TICKS = 10
"""Ticks between two looks at what takes long to count: memory, and connections where there are ten thousand."""


class FleetBoard:
    """This replica's part of the board. It costs nothing while nobody looks."""

    def __init__(self, scope: Scope) -> None:
        self._name = replica_of(scope)
        self._status = scope.get("extensions", {}).get(EXTENSION, {}).get("status", dict)
        self._loop = asyncio.get_running_loop()
        self._meter = Meter()
        self._viewed = asyncio.Event()
        """Somebody looks at it through this replica."""
        self._watched = asyncio.Event()
        """Somebody looks at it anywhere."""
        self._until = 0.0
        self._slow: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Listen for viewers. Harmless when repeated."""
        if not self._tasks:
            steps: list[Coroutine[Any, Any, None]] = [self._listen(), self._say(), self._publish()]
            self._tasks = [asyncio.create_task(step) for step in steps]

    async def stop(self) -> None:
        """Say nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def has_viewer(self) -> None:
        """Somebody is about to look, through this replica."""
        self._viewed.set()

    # -- who looks ------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                await default_layer().subscribe(WATCH, self._heard)
            except Unavailable:
                await asyncio.sleep(RETRY)
            else:
                return

    def _heard(self, _publication: Publication) -> None:
        self._until = self._loop.time() + HOLDS
        self._watched.set()

    async def _say(self) -> None:
        while True:
            await self._viewed.wait()
            self._viewed.clear()
            with contextlib.suppress(FanoutError):  # while Redis is away there is nothing to see either
                await apublish(WATCH, self._name)
            await asyncio.sleep(SAY_EVERY)
            if get_hub().groups.get(FLEET):
                self._viewed.set()

    # -- what is seen ---------------------------------------------------------------------------------------

    async def _publish(self) -> None:
        while True:
            await self._watched.wait()
            self._meter.clear()
            await self._publish_while_watched()
            self._watched.clear()

    async def _publish_while_watched(self) -> None:
        due, tick = self._loop.time(), 0
        while (now := self._loop.time()) < self._until:
            if tick % SLOW_TICKS == 0:
                self._slow = {"connections": self._status().get("connections"), "memory": memory_mib()}
            numbers = self._meter.numbers(read_now(), now - due)
            with contextlib.suppress(FanoutError):
                await apublish(FLEET, {"replica": self._name, **self._slow, **numbers})
            tick += 1
            due = max(due + TICK, self._loop.time())  # what was missed is not made up for
            await asyncio.sleep(due - self._loop.time())


_boards: WeakKeyDictionary[asyncio.AbstractEventLoop, FleetBoard] = WeakKeyDictionary()


def board_of(scope: Scope) -> FleetBoard:
    """Return this process's part of the board, listening from the first call on."""
    loop = asyncio.get_running_loop()
    board = _boards.get(loop)
    if board is None:
        board = _boards[loop] = FleetBoard(scope)
    board.start()
    return board


class WithFleetBoard:
    """ASGI middleware for the lifespan: the board is there from the start, and ends before the application does."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with the board beside it."""
        board = board_of(scope)

        async def told() -> dict[str, Any]:
            event = await receive()
            if event["type"] == "lifespan.shutdown":
                await board.stop()
            return event

        await self._application(scope, told, send)
