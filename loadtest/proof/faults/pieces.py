"""What a server says, cut where its messages begin and end: WebSocket frames, and the values of Redis' protocol."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from frames import CLOSE, frame_at

SWITCHED = b"HTTP/1.1 101"
HEAD_END = b"\r\n\r\n"
WHOLE_MESSAGES = (0x81, 0x82)
"""First bytes of a text or a binary frame that is a whole message, uncompressed (RFC 6455 section 5.2)."""
LINE_END = b"\r\n"
LENGTHS = b"$!="
"""Types whose line says how many bytes follow."""
AGGREGATES = b"*~>"
"""Types whose line says how many values follow."""
MAPS = b"%|"
"""Types whose line says how many pairs of values follow."""
MESSAGE_NAMES = (b"message", b"smessage", b"pmessage")


class Piece(NamedTuple):
    """Bytes that belong together."""

    data: bytes
    is_message: bool
    """Whether a fault may befall it: the rest keeps the stream whole."""
    is_last: bool = False
    """Whether nothing may follow it."""


class Cutter(Protocol):
    """Cuts one connection's stream."""

    def feed(self, data: bytes) -> list[Piece]:
        """Return the pieces that are complete now; together they are what was fed."""


class Frames:
    """HTTP up to a 101, WebSocket frames behind it."""

    def __init__(self) -> None:
        self._switched = self._in_head = False
        self._buffer = b""

    def feed(self, data: bytes) -> list[Piece]:
        """Return the pieces that are complete now."""
        if not self._switched:
            # An answer begins with a read: the request that it answers is sent when the one before was read whole.
            self._in_head = self._in_head or data.startswith(SWITCHED)
            if not self._in_head:
                return [Piece(data, is_message=False)]
            self._buffer += data
            head, end, data = self._buffer.partition(HEAD_END)
            if not end:
                return []
            self._switched, self._buffer = True, b""
            return [Piece(head + end, is_message=False), *self._frames(data)]
        return self._frames(data)

    def _frames(self, data: bytes) -> list[Piece]:
        buffer, start, pieces = self._buffer + data, 0, []
        while (frame := frame_at(buffer, start)) is not None:
            kind, _, end = frame
            pieces.append(Piece(buffer[start:end], kind in WHOLE_MESSAGES, kind == CLOSE))
            start = end
        self._buffer = buffer[start:]
        return pieces


class Values:
    """The values of RESP2 and RESP3; a message of pub/sub is one."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Piece]:
        """Return the pieces that are complete now."""
        buffer, start, pieces = self._buffer + data, 0, []
        while (end := value_end(buffer, start)) is not None:
            pieces.append(Piece(buffer[start:end], is_published(buffer, start)))
            start = end
        self._buffer = buffer[start:]
        return pieces


def value_end(buffer: bytes, start: int) -> int | None:
    """Return where the value at `start` ends; None if it is not all there."""
    missing = 1
    while missing:
        line = buffer.find(LINE_END, start)
        if line < 0:
            return None
        kind, missing = buffer[start], missing - 1
        start, number = line + len(LINE_END), buffer[start + 1 : line]
        if kind in LENGTHS and number != b"-1":
            start += int(number) + len(LINE_END)
            if start > len(buffer):
                return None
        elif kind in AGGREGATES and number != b"-1":
            missing += int(number)
        elif kind in MAPS:
            # An attribute (|) stands before the value it is of.
            missing += 2 * int(number) + (kind == ord("|"))
    return start


def is_published(buffer: bytes, start: int) -> bool:
    """Whether the value at `start` is a message of pub/sub."""
    if buffer[start] not in b"*>":
        return False
    name = buffer.find(LINE_END, start) + len(LINE_END)
    return any(buffer.startswith(b"$%d\r\n%s\r\n" % (len(word), word), name) for word in MESSAGE_NAMES)
