"""How the hub writes to a client's socket: the contract, and the way that works on any ASGI server."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, cast

from fanout import close_codes
from fanout.counters import counters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanout.asgi import Receive, Scope, Send

EXTENSION = "fanout.socket"
"""The ASGI extension by which a server offers Sockets: `scope["extensions"][EXTENSION]["socket"]`."""

ANSWERS_LIMIT = 1024 * 1024
"""Bytes of answers (acks, errors, a history) that may wait for a client that does not read them."""
TOO_SLOW_REASON = "You read slower than the group talks; reconnect to go on."


class Broadcaster(Protocol):
    """Writes the same payloads to many sockets of its kind."""

    def broadcast(self, sockets: Iterable[Any], payloads: Sequence[bytes], limit: int) -> None:
        """Queue a text frame for each payload (UTF-8) on each open socket, behind all that was written to it before.

        A socket whose outbox would exceed `limit` bytes is closed with TOO_SLOW instead. Never blocks.
        """

    def offer(self, sockets: Iterable[Any], payloads: Sequence[bytes]) -> list[Any]:
        """Write a text frame for each payload to each socket with nothing queued; return the open ones that had."""


class Handler(Protocol):
    """What becomes of what a client does: a session. It is told one thing at a time, in order."""

    async def receive(self, event: dict[str, Any]) -> None:
        """Take a message of the client, a `websocket.receive`. Raising ends the connection with 1011."""

    async def disconnect(self) -> None:
        """Take leave. Called exactly once, after all else, however the connection ended."""


class Socket(Protocol):
    """One WebSocket."""

    broadcaster: Broadcaster
    """Shared by all sockets of one server."""
    farewell: bytes | None
    """Payload of a text frame that a planned exit of the server sends before it closes."""

    @property
    def queued_bytes(self) -> int:
        """What was written and is still in this process: the client, or the kernel, has not taken it."""

    def accept(self, subprotocol: str | None = None) -> None:
        """Accept the handshake; comes first of all that is written."""

    def send(self, *payloads: bytes) -> None:
        """Queue text frames (UTF-8) in one write; a client that has not read what was queued before is closed."""

    def close(self, code: int, reason: str) -> None:
        """Say goodbye behind what is queued; `reason` is cut at 123 bytes."""

    async def serve(self, handler: Handler) -> None:
        """Have the handler told what the client does from now on; the application's last act.

        May return long before the client goes: a server that can hands events to the handler itself, so that
        an idle connection holds no task, no coroutine and no queue.
        """


def socket_of(scope: Scope, receive: Receive, send: Send) -> Socket:
    """Return the connection's Socket: the server's own where it offers one, else one over plain ASGI."""
    offered = scope.get("extensions", {}).get(EXTENSION)
    return cast("Socket", offered["socket"] if offered else AsgiSocket(receive, send))


class AsgiBroadcaster:
    """Writes to each socket by itself: one ASGI message a socket."""

    def broadcast(self, sockets: Iterable[AsgiSocket], payloads: Sequence[bytes], limit: int) -> None:
        """See Broadcaster."""
        texts = [({"type": "websocket.send", "text": payload.decode()}, len(payload)) for payload in payloads]
        size = sum(len(payload) for payload in payloads)
        for socket in sockets:
            if socket.closed:
                continue
            if socket.queued_bytes + size > limit:
                socket.overflow()
            else:
                for message, length in texts:
                    socket.queue(message, length)

    def offer(self, sockets: Iterable[AsgiSocket], payloads: Sequence[bytes]) -> list[AsgiSocket]:
        """See Broadcaster."""
        sockets = tuple(sockets)
        late = [socket for socket in sockets if socket.queued_bytes and not socket.closed]
        self.broadcast([socket for socket in sockets if not socket.queued_bytes], payloads, ANSWERS_LIMIT)
        return late


class AsgiSocket:
    """A Socket over plain ASGI, with an outbox: ASGI's `send` may wait, the hub must not."""

    broadcaster = AsgiBroadcaster()
    farewell: bytes | None = None  # a server that offers no sockets has no planned exit either

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._outbox: deque[tuple[dict[str, Any], int]] = deque()
        self._task: asyncio.Task[None] | None = None
        self.closed = False
        """Whether a goodbye is queued, or the client gone: nothing is queued behind it."""
        self.queued_bytes = 0

    def accept(self, subprotocol: str | None = None) -> None:
        """See Socket."""
        self.queue({"type": "websocket.accept", "subprotocol": subprotocol}, 0)

    def send(self, *payloads: bytes) -> None:
        """See Socket."""
        if not self.closed and self.queued_bytes > ANSWERS_LIMIT:
            self.overflow()
            return
        for payload in payloads:
            self.queue({"type": "websocket.send", "text": payload.decode()}, len(payload))

    def close(self, code: int, reason: str) -> None:
        """See Socket."""
        counters.too_slow += code == close_codes.TOO_SLOW and not self.closed
        self.queue({"type": "websocket.close", "code": code, "reason": reason}, 0)
        self.closed = True

    async def serve(self, handler: Handler) -> None:
        """See Socket; returns when the client has gone."""
        try:
            while (event := await self._receive())["type"] == "websocket.receive":
                await handler.receive(event)
        finally:
            await handler.disconnect()

    def queue(self, message: dict[str, Any], size: int) -> None:
        """Put an ASGI message of `size` payload bytes into the outbox."""
        if self.closed:
            return
        self._outbox.append((message, size))
        self.queued_bytes += size
        if self._task is None:
            self._task = asyncio.create_task(self._drain())

    def overflow(self) -> None:
        """Close as too slow; what is queued is given up, since this client does not read it."""
        self._outbox.clear()
        self.queued_bytes = 0
        self.close(close_codes.TOO_SLOW, TOO_SLOW_REASON)

    async def _drain(self) -> None:
        try:
            while self._outbox:
                message, size = self._outbox[0]
                await self._send(message)
                # overflow() may have emptied the outbox meanwhile.
                if self._outbox and self._outbox[0][0] is message:
                    self._outbox.popleft()
                    self.queued_bytes -= size
        except OSError:
            # The client is gone; the server tells the application by websocket.disconnect.
            self.closed = True
            self._outbox.clear()
        finally:
            self._task = None
