"""Many WebSocket connections of one process, read in bulk: for load, where a library's client costs too much.

A connection is a plain socket and an offset; its frames are split without being decoded (frames.py).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from typing import TYPE_CHECKING

from frames import CLOSE, PING, PONG, TEXT, client_frame, close_code, frame_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

READ_BYTES = 1 << 18
"""Of one read: what a burst leaves in a socket."""


class RefusedError(Exception):
    """The server did not answer the handshake with 101."""


class Connection:
    """One WebSocket."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.headers: dict[str, str] = {}
        self.closed: int | None = None
        """The close code, once the server has closed; 1006 without a close frame."""
        self._buffer = b""

    @property
    def replica(self) -> str:
        """Who answered the handshake."""
        return self.headers.get("x-replica", "")

    def shake_hands(self) -> None:
        """Read the answer to the handshake. Raise RefusedError."""
        while b"\r\n\r\n" not in self._buffer:
            data = self.stream.recv(READ_BYTES)
            if not data:
                raise RefusedError("the server closed the connection during the handshake")
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin1").split("\r\n")
        if not status.startswith("HTTP/1.1 101"):
            raise RefusedError(status)
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    def send(self, text: bytes) -> None:
        """Send a text frame."""
        self.stream.sendall(client_frame(TEXT, text))

    def receive(self) -> list[bytes]:
        """Return the texts that have arrived; answer pings on the way."""
        try:
            data = self.stream.recv(READ_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = self.closed or 1006
            return []
        self._buffer += data
        return list(self._texts())

    def wait(self) -> list[bytes]:
        """Return the next texts, as soon as there are any. Raise RefusedError when it is closed instead."""
        while not (texts := self.receive()):
            if self.closed is not None:
                raise RefusedError(f"the server closed the connection with {self.closed}")
        return texts

    def _texts(self) -> Iterator[bytes]:
        buffer, start = self._buffer, 0
        while (frame := frame_at(buffer, start)) is not None:
            kind, begin, end = frame
            if kind == TEXT:
                yield buffer[begin:end]
            elif kind == PING:
                with contextlib.suppress(ConnectionError):  # a server that has left wants none: its close frame follows
                    self.stream.sendall(client_frame(PONG, buffer[begin:end]))
            elif kind == CLOSE:
                self.closed = close_code(buffer[begin:end])
            start = end
        self._buffer = buffer[start:]


class Crowd:
    """Connections that are opened together and read together."""

    def __init__(
        self, address: Path | tuple[str, int], path: str = "/ws/chat/", subprotocol: str = "", extensions: str = ""
    ) -> None:
        self._address = address
        self._request = handshake(path, subprotocol, extensions)
        self._selector = selectors.DefaultSelector()
        self.connections: list[Connection] = []

    def connect(self, count: int, *, at_once: int | None = None, first: bytes | None = None) -> None:
        """Open `count` connections, `at_once` of them (default: all) before the first answer is read.

        Each sends the text `first`, if there is one, and waits for the answer to it.
        """
        size = at_once or count
        for start in range(0, count, size):
            batch = [self._open() for _ in range(min(size, count - start))]
            for connection in batch:
                connection.shake_hands()
                if first is not None:
                    connection.send(first)
            for connection in batch:
                if first is not None:
                    connection.wait()
                self._selector.register(connection.stream, selectors.EVENT_READ, connection)
            self.connections += batch

    def read_until(self, deadline: float, take: Callable[[Connection, list[bytes]], None]) -> None:
        """Hand what arrives to `take`, until time.monotonic() is `deadline`; closed ones are left out."""
        while (left := deadline - time.monotonic()) > 0 and self._selector.get_map():
            for key, _ in self._selector.select(left):
                connection: Connection = key.data
                take(connection, connection.receive())
                if connection.closed is not None:
                    self._selector.unregister(connection.stream)

    def close(self) -> None:
        """Cut them all."""
        self._selector.close()
        for connection in self.connections:
            connection.stream.close()

    def _open(self) -> Connection:
        if isinstance(self._address, tuple):
            stream = socket.create_connection(self._address)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            stream.connect(os.fspath(self._address))
        stream.sendall(self._request)
        return Connection(stream)


def handshake(path: str, subprotocol: str = "", extensions: str = "") -> bytes:
    """Return the request."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *([f"Sec-WebSocket-Protocol: {subprotocol}"] if subprotocol else []),
        *([f"Sec-WebSocket-Extensions: {extensions}"] if extensions else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()
