"""One open connection, until it ends: read what the core hears, write what it says, watch whether anybody answers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from websockets.exceptions import ConnectionClosed

from fanout import close_codes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from websockets.asyncio.client import ClientConnection

    from fanout.client.core import Core
    from fanout.client.events import Event
    from fanout.client.inbox import Inbox

ANSWER_LIMIT = 15.0
"""Seconds: a handshake, an answer or a pong that takes longer means a dead connection."""

CLOSE_LIMIT = 2.0
"""Seconds that the other side has to say goodbye too."""


class Traffic:
    """Between a socket and the core. `wake` is set when the core has something to say."""

    def __init__(
        self, socket: ClientConnection, core: Core, inbox: Inbox, wake: asyncio.Event,
        act: Callable[[Iterable[Event], int], None],
    ) -> None:  # fmt: skip
        """`act` gets the events of a frame, and the frame's size in bytes."""
        self._socket = socket
        self._core = core
        self._inbox = inbox
        self._wake = wake
        self._act = act

    async def run(self) -> tuple[int, str]:
        """Return how the connection was closed: code and reason."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._write())
                tasks.create_task(self._watch())
        except* ConnectionClosed:
            pass
        finally:
            await self._end()
        return int(self._socket.close_code or close_codes.ABNORMAL), self._socket.close_reason or ""

    async def _read(self) -> None:
        """Hear what the server says, as fast as the user takes it; ends with the connection."""
        while True:
            text = await self._socket.recv(decode=False)
            self._act(self._core.receive(text, room=self._inbox.has_room), len(text))
            self._wake.set()
            if not self._inbox.has_room:
                await self._inbox.room()

    async def _write(self) -> None:
        """Say what the core wants to say; how a connection ended is for the reader to find out."""
        try:
            while True:
                self._wake.clear()
                for text in self._core.outgoing():
                    await self._socket.send(text, text=True)
                await self._wake.wait()
        except ConnectionClosed:
            pass

    async def _end(self) -> None:
        """Say goodbye; who does not even read that is left without it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT):
                await self._socket.close()
        self._socket.transport.abort()
        await self._socket.wait_closed()

    async def _watch(self) -> None:
        """Give up a connection on which nothing is answered, unless it is us who do not read."""
        try:
            while True:
                call, waits, held_up = self._core.oldest_call, self._inbox.waits, self._inbox.waiting
                pong: asyncio.Future[float] | None = None
                with contextlib.suppress(TimeoutError):  # a socket that takes nothing more takes no ping
                    async with asyncio.timeout(ANSWER_LIMIT):
                        pong = asyncio.ensure_future(await self._socket.ping())
                await asyncio.sleep(ANSWER_LIMIT)
                unanswered = pong is None or not pong.done() or (call is not None and call == self._core.oldest_call)
                if unanswered and not held_up and waits == self._inbox.waits:
                    self._socket.transport.abort()
        except ConnectionClosed:
            pass
