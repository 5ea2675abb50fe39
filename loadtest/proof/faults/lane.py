"""The faults, and the way of a connection's messages through them: no socket, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proof.faults.pieces import Cutter, Piece


@dataclass
class Faults:
    """Which messages a fault befalls, of those that hold some bytes; counts over all connections."""

    drop: int = 0
    """One in so many; 0: none. So are the others."""
    double: int = 0
    swap: int = 0
    holding: bytes = b""
    messages: int = 0
    dropped: int = 0
    doubled: int = 0
    swapped: int = 0

    def may_befall(self, piece: Piece) -> bool:
        """Whether a piece is one of the messages that count."""
        return piece.is_message and self.holding in piece.data

    def of(self, piece: Piece) -> str:
        """Return what befalls a piece: `drop`, `double`, `swap` or nothing."""
        if not self.may_befall(piece):
            return ""
        self.messages += 1
        for name in ("drop", "double", "swap"):
            every = getattr(self, name)
            if every and self.messages % every == 0:
                return name
        return ""

    def __str__(self) -> str:
        """Say what has happened in a line."""
        return f"{self.messages} messages: {self.dropped} dropped, {self.doubled} doubled, {self.swapped} swapped"


class Lane:
    """The way of one connection's messages from the server to the client."""

    def __init__(self, faults: Faults, cutter: Cutter) -> None:
        self._faults = faults
        self._cutter = cutter
        self._held = b""

    @property
    def holds(self) -> bool:
        """Whether a message waits for the one that is to overtake it."""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        """Return what goes on."""
        return b"".join(self._after(piece) for piece in self._cutter.feed(data))

    def flush(self) -> bytes:
        """Return the message that waits; it is not swapped then."""
        held, self._held = self._held, b""
        return held

    def _after(self, piece: Piece) -> bytes:
        faults = self._faults
        fault = faults.of(piece)
        if self._held:
            if piece.is_last:
                return self.flush() + piece.data
            if not faults.may_befall(piece):
                return piece.data
            faults.swapped += 1
            return piece.data + self.flush()
        if fault == "swap":
            self._held = piece.data
            return b""
        faults.dropped += fault == "drop"
        faults.doubled += fault == "double"
        return piece.data * {"drop": 0, "double": 2}.get(fault, 1)
