"""What a client has sent and the application has not taken yet: in order, and bounded, since nobody reads on then."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from server.websocket import ReplicaWebSocket

PAUSE_AT = 64
"""Messages that wait for the application before the client's socket is not read any more."""
PAUSE_AT_BYTES = 1024 * 1024
"""The same in bytes, of a text in characters."""
TURN = 16
"""Messages that one client may have served in a row before everybody else has a turn."""


class Inbox:
    """The ASGI events of one WebSocket, first in first out. It has no parts while nothing waits in it.

    An application takes them by `receive`, as everywhere. Or it attaches a handler and returns: then each event
    is handled in a task that ends with it, one at a time, and an idle connection holds no task at all. The
    task stands where Daphne looks for the application, so Daphne's limits, log and 1011 are the same.
    """

    __slots__ = ("_bytes", "_events", "_finished", "_handler", "_paused", "_protocol", "_served", "_waiters")

    def __init__(self, protocol: ReplicaWebSocket) -> None:
        self._protocol = protocol
        self._events: deque[dict[str, Any]] | None = None
        self._bytes = 0
        self._served = 0
        self._paused = False
        self._handler: Any = None
        self._finished: asyncio.Future[None] | None = None
        self._waiters: tuple[asyncio.Future[None], ...] = ()

    def put_nowait(self, event: dict[str, Any]) -> None:
        """Add an event; stop reading when too much waits."""
        if self._events is None:
            self._events = deque()
        self._events.append(event)
        self._bytes += _size(event)
        if not self._paused and (len(self._events) >= PAUSE_AT or self._bytes >= PAUSE_AT_BYTES):
            self._paused = True
            self._protocol.stop_reading()
        self._wake()

    async def get(self) -> dict[str, Any]:
        """Return the next event, as ASGI's `receive`; read on when half of what waited is gone."""
        while not self._events:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters += (waiter,)
            await waiter
        event = self._events.popleft()
        self._bytes -= _size(event)
        if not self._events:
            self._events = None
        if self._paused and self._is_half_empty():
            self._paused = False
            self._protocol.read_on()
        if event["type"] == "websocket.receive":
            self._served += 1
            if self._served % TURN == 0:
                await asyncio.sleep(0)
        return event

    async def run(self, application: Callable[[], Awaitable[None]]) -> None:
        """Run the application; if it leaves a handler behind, go on with that until nothing waits."""
        try:
            await application()
        except BaseException:
            await self.finish()
            raise
        await self._serve()

    def attach(self, handler: Any) -> None:
        """Have events handled by `handler.receive(event)` and, at the end, `handler.disconnect()`."""
        self._handler = handler

    @property
    def attached(self) -> bool:
        """Whether a handler waits for events, or serves one."""
        return self._handler is not None

    def finished(self) -> asyncio.Future[None]:
        """Return what is done when the handler's `disconnect` has run."""
        if self._finished is None:
            self._finished = asyncio.get_running_loop().create_future()
        return self._finished

    async def finish(self) -> None:
        """Tell the handler that it is over; harmless when repeated."""
        handler, self._handler = self._handler, None
        try:
            if handler is not None:
                await handler.disconnect()
        finally:
            if self._finished is not None and not self._finished.done():
                self._finished.set_result(None)

    async def _serve(self) -> None:
        try:
            while self._handler is not None and self._events:
                event = await self.get()
                if event["type"] == "websocket.disconnect":
                    await self.finish()
                else:
                    await self._handler.receive(event)
        except BaseException:
            await self.finish()
            raise

    def _wake(self) -> None:
        """Serve what waits, unless someone is at it."""
        waiters, self._waiters = self._waiters, ()
        for waiter in waiters:
            if not waiter.done():  # cancelled
                waiter.set_result(None)
        if self._handler is not None:
            server = self._protocol.server
            application = server.connections[self._protocol].get("application_instance")
            if application is None or application.done():
                server.run_application(self._protocol, self._serve())

    def _is_half_empty(self) -> bool:
        return len(self._events or ()) <= PAUSE_AT // 2 and self._bytes <= PAUSE_AT_BYTES // 2


def is_attached(protocol: Any) -> bool:
    """Whether a handler of the application waits for what the client does."""
    inbox = getattr(protocol, "application_queue", None)
    return isinstance(inbox, Inbox) and inbox.attached


def _size(event: dict[str, Any]) -> int:
    content = event.get("text") or event.get("bytes")
    return len(content) if content else 0
