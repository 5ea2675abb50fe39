"""One WebSocket after its handshake: frames out at once, frames in as the reader brings them."""

from __future__ import annotations

import contextlib
import os
import ssl
from typing import TYPE_CHECKING, Protocol

from fanout import close_codes
from frames import CLOSE, PING, PONG, TEXT, client_frame, close_code, frame_at

if TYPE_CHECKING:
    from proof.clients.batch import Batch
    from proof.clients.reader import Reader
    from proof.target import Answer

READ_BYTES = 1 << 16


class Owner(Protocol):
    """Who is told what arrives. Called from the event loop itself: must not wait."""

    def take(self, batch: Batch) -> bool:
        """Publications have come; return whether they came live, so that their latency counts."""

    def hear(self, text: bytes) -> None:
        """A text frame has come that is not read in bulk."""

    def lost(self, code: int) -> None:
        """The connection is over."""


class Link:
    """Not blocking. `in_bulk`: what is known to be publications goes to `take` unread, else all goes to `hear`."""

    __slots__ = (
        "_known",
        "_out",
        "_reader",
        "_stream",
        "_tail",
        "arrivals",
        "code",
        "fd",
        "in_bulk",
        "owner",
        "plain",
        "replica",
    )

    def __init__(self, answer: Answer, reader: Reader, owner: Owner, *, plain: bool, in_bulk: bool) -> None:
        self._stream = answer.stream
        self._stream.setblocking(False)
        self._reader = reader
        self._known = reader.batches.known(plain=plain)
        self._tail = answer.rest
        self._out = b""
        self.fd = answer.stream.fileno()
        self.owner = owner
        self.replica = answer.replica
        self.plain = plain
        self.in_bulk = in_bulk
        self.code: int | None = None
        """The close code, once it is over; 1006 when nothing was said."""
        self.arrivals = reader.arrivals(self.replica)
        reader.add(self)
        if self._tail:
            data, self._tail = self._tail, b""
            self.receive(data)

    # -- in ---------------------------------------------------------------------------------------------------

    def read(self) -> bytes | None:
        """Return what has come; None for nothing, empty at the end."""
        try:
            if isinstance(self._stream, ssl.SSLSocket):
                return self._read_tls()
            return os.read(self.fd, READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError:
            return b""

    def _read_tls(self) -> bytes:
        assert isinstance(self._stream, ssl.SSLSocket)  # noqa: S101 - the caller has looked
        data = self._stream.recv(READ_BYTES)
        while self._stream.pending():  # the kernel would not report what TLS has read already
            data += self._stream.recv(self._stream.pending())
        return data

    def receive(self, data: bytes) -> None:
        """Deal with what has come."""
        if not data:
            self.end(close_codes.ABNORMAL)
        elif self.in_bulk and not self._tail and (batch := self._batch(data)) is not None:
            self._take(batch)
        else:
            self._split(self._tail + data)

    def _batch(self, chunk: bytes) -> Batch | None:
        return self._known(chunk) or self._reader.batches.decode(chunk, plain=self.plain)

    def _take(self, batch: Batch) -> None:
        if self.owner.take(batch):
            self.arrivals[batch] = self.arrivals.get(batch, 0) + 1

    def _split(self, buffer: bytes) -> None:
        start = 0
        while self.code is None and (frame := frame_at(buffer, start)) is not None:
            kind, begin, end = frame
            if kind == TEXT:
                batch = self._batch(buffer[start:end]) if self.in_bulk else None
                if batch is not None:
                    self._take(batch)
                else:
                    self.owner.hear(buffer[begin:end])
            elif kind == PING:
                self._write(client_frame(PONG, buffer[begin:end]))
            elif kind == CLOSE:
                self._write(client_frame(CLOSE, buffer[begin : min(end, begin + 2)]))
                self.end(close_code(buffer[begin:end]))
            start = end
        self._tail = buffer[start:]

    # -- out --------------------------------------------------------------------------------------------------

    def send(self, text: bytes) -> None:
        """Send a text frame; what the kernel does not take now follows when it does."""
        self._write(client_frame(TEXT, text))

    def _write(self, data: bytes) -> None:
        if self.code is not None:
            return
        if self._out:
            self._out += data
            return
        self._out = data
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        try:
            sent = self._stream.send(self._out)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            sent = 0
        except OSError:  # it is over: the reader learns how
            self._out = b""
            return
        self._out = self._out[sent:]
        self._reader.want_write(self, wanted=bool(self._out))

    # -- the end ----------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Read nothing for a while."""
        if self.code is None:
            self._reader.remove(self)

    def resume(self) -> None:
        """Read on."""
        if self.code is None:
            self._reader.add(self)

    def end(self, code: int) -> None:
        """Close the socket, and tell the owner why; harmless when repeated."""
        if self.code is not None:
            return
        self.code = code
        self._reader.remove(self)
        with contextlib.suppress(OSError):
            self._stream.close()
        self.owner.lost(code)

    def goodbye(self) -> None:
        """Leave as a browser does."""
        self._write(client_frame(CLOSE, close_codes.NORMAL.to_bytes(2)))
        self.end(close_codes.NORMAL)
