"""Frames are parsed in slices: however many small ones a client sends at once, everybody else has a turn in between."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet import reactor

from server.lean import LeanProtocol

READ_BYTES = 8192
"""Bytes of one read, and of one piece of what came before the answer: autobahn copies the rest of it for each frame."""
STEPS = 128
"""Steps of the parser in a row, two for each frame: some two milliseconds."""
EARLY_BYTES = 1024 * 1024
"""Bytes that a client may send before it has an answer; then it is not read any more until it has one."""
FRAGMENTS_LIMIT = 1 << 17
"""Frames of one message. The Autobahn Testsuite sends 65,537; empty ones would count for nothing otherwise."""
TOO_BIG = 1009
TOO_MANY_FRAGMENTS = f"A message has at most {FRAGMENTS_LIMIT} frames."


class SlicedProtocol(LeanProtocol):
    """A WebSocket connection that parses a few frames, then lets the loop go on."""

    _held: deque[bytes] | tuple[()] = ()
    """What came behind `data`, in pieces."""
    _is_stopped = False
    """Whether the application has enough to do."""
    _is_due = False
    """Whether there is more to parse than was parsed."""
    _fragments = 0

    def connectionMade(self) -> None:
        """Read in small bites."""
        self.transport.bufferSize = READ_BYTES
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Take what came; over TLS there may be some on the way when reading has stopped."""
        if self._is_due:
            self._hold(data)
        else:
            super().dataReceived(data)

    def connectionLost(self, reason: Any = None) -> None:
        """End."""
        self._held = ()
        super().connectionLost(reason)

    def stop_reading(self) -> None:
        """Parse and read no more: the application has enough."""
        self._is_stopped = True
        self.transport.pauseProducing()

    def read_on(self) -> None:
        """Parse the rest, then read on."""
        self._is_stopped = False
        if self._is_due:
            reactor.callLater(0, self._go_on)
        elif not self.transport.disconnecting:
            self.transport.resumeProducing()

    def processHandshake(self) -> None:
        """Read the head; what a client sends behind it waits for the answer, and so does the client."""
        if not hasattr(self, "handshake_deferred"):
            super().processHandshake()
        elif len(self.data) > EARLY_BYTES:
            self.transport.pauseProducing()

    def consumeData(self) -> None:
        """Parse a slice of what is there."""
        if self.state not in (self.STATE_OPEN, self.STATE_CLOSING):
            super().consumeData()
            return
        if len(self.data) > READ_BYTES:
            early, self.data = self.data, b""
            self._hold(early)
        self._is_due = self._parse()
        if self._is_due:
            self.transport.pauseProducing()
            if not self._is_stopped:
                reactor.callLater(0, self._go_on)

    def onMessageBegin(self, isBinary: bool) -> None:
        """Begin a message."""
        self._fragments = 0
        super().onMessageBegin(isBinary)

    def onMessageFrameBegin(self, length: int) -> None:
        """Begin a frame of a message, unless it is one too many."""
        super().onMessageFrameBegin(length)
        self._fragments += 1
        if self._fragments > FRAGMENTS_LIMIT and not self.failedByMe:
            self._fail_connection(TOO_BIG, TOO_MANY_FRAGMENTS)

    def _hold(self, data: bytes) -> None:
        pieces = (data[start : start + READ_BYTES] for start in range(0, len(data), READ_BYTES))
        self._held = deque([*self._held, *pieces])

    def _parse(self) -> bool:
        """Parse some frames; return whether there is more."""
        for _ in range(STEPS):
            if self._is_stopped or self.state == self.STATE_CLOSED:
                break
            if not self.processData():
                if not self._held:
                    return False
                self.data += self._held.popleft()
        return self.state != self.STATE_CLOSED and bool(self._held or self.data)

    def _go_on(self) -> None:
        """Parse the next slice; read on when there is none."""
        if self._is_stopped or not self._is_due:
            return
        self.consumeData()
        if not self._is_due and not self._is_stopped and not self.transport.disconnecting:
            self.transport.resumeProducing()
