"""A case of the Autobahn Testsuite: what its client sends, and what it takes for an answer."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from websockets.frames import apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL, PROTOCOL_ERROR, INVALID_PAYLOAD = 1000, 1002, 1007
MASK = b"\x37\xfa\x21\x3d"
"""RFC 6455's own example (5.7)."""
FRAME_BY_FRAME = -1
"""The value of `chop` for one write a frame."""


class Frame(NamedTuple):
    """A frame, which need not be legal."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0

    def serialize(self) -> bytes:
        """Return its bytes, masked as a client's."""
        head, size = self.fin << 7 | self.rsv << 4 | self.opcode, len(self.payload)
        if size < 126:
            length = struct.pack("!BB", head, 128 | size)
        elif size < 1 << 16:
            length = struct.pack("!BBH", head, 128 | 126, size)
        else:
            length = struct.pack("!BBQ", head, 128 | 127, size)
        return length + MASK + apply_mask(self.payload, MASK)


class Chop(NamedTuple):
    """A piece of a frame."""

    data: bytes

    def serialize(self) -> bytes:
        """Return it as it stands."""
        return self.data


class Silence(NamedTuple):
    """Nothing comes for a while: noted as a timeout of this name, unless the server has ended the connection."""

    name: str


class Answers(NamedTuple):
    """Go on when so many events have come."""

    count: int


class Rounds(NamedTuple):
    """The frame so many times, each after the echo of the one before."""

    frame: Frame
    count: int


@dataclass(frozen=True)
class Case:
    """One case. An event is ("message", payload, is binary), ("pong", payload) or ("timeout", name)."""

    number: str
    steps: tuple[NamedTuple, ...]
    ok: tuple = ()
    """The events that the suite calls OK."""
    non_strict: tuple | None = None
    """The events that it calls NON-STRICT, which passes too."""
    server_fails: bool = False
    """The server has to fail the connection; otherwise the client closes it."""
    codes: tuple[int, ...] = (NORMAL,)
    """The close codes that the server may send."""
    clean: bool = True
    """The server has to send a close frame, it can't just hang up."""
    closes_itself: bool = False
    """The close frame is among the steps."""
    informational: bool = False
    """The specification leaves open what happens; the connection has to end."""
    chop: int | None = None
    """Octets of one write; None: all frames in one."""


def failing(number: str, *steps: NamedTuple, codes: tuple[int, ...] = (PROTOCOL_ERROR,), **options: object) -> Case:
    """Return a case whose connection the server has to fail, by a close frame or by hanging up."""
    return Case(number, steps, server_fails=True, codes=codes, clean=False, **options)


def closing(number: str, *steps: NamedTuple, codes: tuple[int, ...] = (NORMAL,), **options: object) -> Case:
    """Return a case that sends its close frame itself."""
    return Case(number, steps, codes=codes, closes_itself=True, **options)


def close(code: int, reason: bytes = b"") -> Frame:
    """Return a close frame, which need not be legal."""
    return Frame(CLOSE, struct.pack("!H", code) + reason)


def message(payload: bytes, opcode: int = TEXT) -> tuple[str, bytes, bool]:
    """Return the event of a message."""
    return ("message", payload, opcode == BINARY)


def fragments(opcode: int, payload: bytes, size: int) -> tuple[Frame, ...]:
    """Return a message in frames of `size` bytes."""
    parts = [payload[start : start + size] for start in range(0, len(payload), size)]
    last = len(parts) - 1
    return tuple(Frame(CONTINUATION if n else opcode, part, fin=n == last) for n, part in enumerate(parts))


def chops(frame: Frame, *sizes: int) -> tuple[Chop, ...]:
    """Return a frame cut where so many bytes of its payload have gone; the last piece has the rest."""
    data = frame.serialize()
    ends = [len(data) - len(frame.payload)]
    for size in sizes:
        ends.append(ends[-1] + size)
    return tuple(Chop(data[start:end]) for start, end in zip([0, *ends[1:]], [*ends[1:], None], strict=True))
