"""The fleet's own board: each replica publishes its numbers while somebody, anywhere in the fleet, looks at them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from demos.dashboard.meter import TICK, Meter, read_now
from fanout.api import apublish
from fanout.errors import FanoutError
from fanout.replica import EXTENSION, replica_of
from fanout.resident import memory_mib
from fanout.viewers import Viewers

if TYPE_CHECKING:
    from fanout.asgi import Application, Receive, Scope, Send

FLEET = "dashboard.fleet"
SLOW_TICKS = 10
"""Ticks between two looks at what takes long to count: memory, and connections where there are ten thousand."""


class FleetBoard:
    """This replica's part of the board. It costs nothing while nobody looks."""

    def __init__(self, scope: Scope) -> None:
        self._name = replica_of(scope)
        self._status = scope.get("extensions", {}).get(EXTENSION, {}).get("status", dict)
        self._loop = asyncio.get_running_loop()
        self._meter = Meter()
        self._slow: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self.viewers = Viewers(FLEET, self._name)

    def start(self) -> None:
        """Listen for viewers. Harmless when repeated."""
        self.viewers.start()
        if self._task is None:
            self._task = asyncio.create_task(self._publish())

    async def stop(self) -> None:
        """Say nothing more."""
        await self.viewers.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _publish(self) -> None:
        while True:
            await self.viewers.wait()
            self._meter.clear()
            await self._publish_while_watched()

    async def _publish_while_watched(self) -> None:
        due, tick = self._loop.time(), 0
        while self.viewers.look:
            now = self._loop.time()
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
