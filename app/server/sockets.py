"""The ASGI extension `fanout.socket`: one prepared frame, written straight to many kernel sockets.

What Daphne does for each ASGI message (queue, task, Twisted's buffer, add_writer, epoll, remove_writer)
costs some 300 µs a socket; a `send` on the idle socket 3-5 µs. Order holds, because nothing is
written straight while Twisted has bytes queued for that socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet import tcp

from server.frames import text_frame
from server.transport import Lean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from server.websocket import ReplicaWebSocket

ANSWERS_LIMIT = 1024 * 1024
"""Bytes of answers (acks, errors, pongs, a history) that may wait for a client that does not read them."""
TOO_SLOW = 4008
TOO_SLOW_REASON = "You read slower than the group talks; reconnect to go on."


class ReplicaBroadcaster:
    """Writes the same payloads to many sockets of this replica."""

    def broadcast(self, sockets: Iterable[ReplicaSocket], payloads: Sequence[bytes], limit: int) -> None:
        """Queue a text frame for each payload (UTF-8) on each open socket, all of them in one write.

        A socket whose queue would exceed `limit` bytes is closed.
        """
        frames = b"".join(map(text_frame, payloads))
        for socket in tuple(sockets):
            socket.write(frames, limit)

    def offer(self, sockets: Iterable[ReplicaSocket], payloads: Sequence[bytes]) -> list[ReplicaSocket]:
        """Write a text frame for each payload to each socket with nothing queued; return the open ones that had."""
        frames = b"".join(map(text_frame, payloads))
        return [socket for socket in sockets if not socket.offer(frames)]


class ReplicaSocket:
    """One WebSocket, as the hub sees it."""

    __slots__ = ("_kernel", "_protocol", "_straight", "_transport")

    broadcaster = ReplicaBroadcaster()

    def __init__(self, protocol: ReplicaWebSocket) -> None:
        self._protocol = protocol
        self._transport = transport = protocol.transport
        self._kernel: Any = _kernel_transport(transport)
        self._straight: Any = None

    @property
    def farewell(self) -> bytes | None:
        """Payload of the text frame that a drain sends before it closes."""
        return self._protocol.farewell

    @farewell.setter
    def farewell(self, payload: bytes | None) -> None:
        self._protocol.farewell = payload

    def accept(self, subprotocol: str | None = None) -> None:
        """Accept the handshake; does nothing if the client is gone."""
        protocol = self._protocol
        if protocol.state == protocol.STATE_CONNECTING and hasattr(protocol, "handshake_deferred"):
            protocol.handle_reply({"type": "websocket.accept", "subprotocol": subprotocol})

    def send(self, *payloads: bytes) -> None:
        """Queue text frames (UTF-8); a client that has not read what was queued before is closed instead."""
        if self.queued_bytes > ANSWERS_LIMIT:
            self.close(TOO_SLOW, TOO_SLOW_REASON)
        else:
            self.write(b"".join(map(text_frame, payloads)), None)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye behind what is queued; does nothing if the socket is closed or closing."""
        self._protocol.close(code, reason)

    async def serve(self, handler: Any) -> None:
        """Have `handler.receive(event)` and `handler.disconnect()` called; returns at once."""
        self._protocol.application_queue.attach(handler)

    def write(self, frame: bytes, limit: int | None) -> None:
        """Write whole frames, straight to the kernel when nothing waits before it."""
        straight = self._straight or self._way()
        if straight is None:
            self._queue(frame, limit)
            return
        try:
            sent = straight(frame)
        except OSError:  # full, or dead: Twisted finds out which
            sent = 0
        if sent != len(frame):
            self._transport.write(frame[sent:])

    def _way(self) -> Any:
        """Return the kernel socket's `send` if the connection is open and nothing waits before; else None.

        It is remembered until that may have changed: what says so lies scattered over memory, and to look there
        costs more than all else when 10,000 sockets have been looked at in between.
        """
        protocol, transport = self._protocol, self._transport
        # Only a bare kernel socket may be written to: TLS wraps its own around it.
        if protocol.state != protocol.STATE_OPEN or self._kernel is not transport or transport.TLS:
            return None
        if transport.dataBuffer or transport._tempDataBuffer:  # noqa: SLF001 - Twisted is pinned
            return None
        straight = transport.socket.send
        if isinstance(transport, Lean) and transport.passed_by is None:
            transport.passed_by, self._straight = self, straight
        return straight

    def go_round(self) -> None:
        """Look again before the next write."""
        self._straight = None

    def offer(self, frames: bytes) -> bool:
        """Write whole frames if nothing is queued; return False if the socket is open and something is."""
        if self.queued_bytes and self._protocol.state == self._protocol.STATE_OPEN:
            return False
        self.write(frames, None)
        return True

    @property
    def queued_bytes(self) -> int:
        """What waits in Twisted's buffers for this socket; over TLS, encrypted."""
        return _queued_bytes(self._kernel)

    def _queue(self, frame: bytes, limit: int | None) -> None:
        if self._protocol.state != self._protocol.STATE_OPEN:
            return
        if limit is not None and self.queued_bytes + len(frame) > limit:
            self.close(TOO_SLOW, TOO_SLOW_REASON)
        else:
            self._transport.write(frame)


def queued_bytes(transport: Any) -> int:
    """Return what waits in Twisted's buffers for the kernel's socket below a transport."""
    return _queued_bytes(_kernel_transport(transport))


def _queued_bytes(kernel: Any) -> int:
    queued: int = len(kernel.dataBuffer) - kernel.offset + kernel._tempDataLen  # noqa: SLF001 - Twisted is pinned
    return queued


def _kernel_transport(transport: Any) -> Any:
    """Return the transport that owns the kernel's socket: TLS wraps itself around it."""
    while not isinstance(transport, tcp.Connection):
        transport = transport.transport
    return transport
