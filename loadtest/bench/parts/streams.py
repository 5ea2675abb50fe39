"""An experiment: what a client of Server-Sent Events costs, for each delivery and while it idles."""

from __future__ import annotations

import select
import socket
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.figure import Figure, Sample
from bench.generator import PATIENCE, READ_BYTES, Load, crowd, dump, message
from bench.row import Row
from bench.sides import OURS
from bench.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.context import Bench
    from crowd import Connection

STREAMS = 500
WARM = 50
"""Streams before: imports, caches and the first arenas of memory are nobody's stream."""
RATE = 4.0
"""Publications a second: an answer under way costs some ten times a WebSocket's delivery, and must not queue."""
PUBLICATIONS = 24
KIB = 1024
REQUEST = b"GET /events/chat.lobby HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
JOINED = b"event: joined"


class Streams:
    """Open streams of one replica."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()
        self._poll = select.epoll()
        self._arrived: dict[int, bytearray] = {}
        self._sockets: dict[int, socket.socket] = {}

    def open(self, count: int) -> None:
        """Open so many more and wait until each has joined. Raise BenchError."""
        for _ in range(count):
            stream = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            stream.connect(str(self._path))
            stream.sendall(REQUEST)
            stream.setblocking(False)
            self._sockets[stream.fileno()], self._arrived[stream.fileno()] = stream, bytearray()
            self._poll.register(stream, select.EPOLLIN)
        if not self.all_have(JOINED, 1):
            raise BenchError("Not every stream has joined.")

    def all_have(self, words: bytes, count: int) -> bool:
        """Read until each stream has had these words so often; return False when patience ends."""
        end = time.monotonic() + PATIENCE
        while any(text.count(words) < count for text in self._arrived.values()):
            if time.monotonic() > end:
                return False
            self.read_until(time.monotonic() + 0.1)
        return True

    def read_until(self, deadline: float) -> None:
        """Read what arrives."""
        while (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(left):
                data = self._sockets[descriptor].recv(READ_BYTES)
                if not data:
                    self._poll.unregister(descriptor)
                self._arrived[descriptor] += data

    def close(self) -> None:
        """Cut them all."""
        self._poll.close()
        self._stack.close()


@contextmanager
def opened(path: Path) -> Iterator[Streams]:
    """Yield streams, cut when the block ends."""
    made = Streams(path)
    try:
        yield made
    finally:
        made.close()


def measure(bench: Bench) -> tuple[Sample, Sample]:
    """Return µs of replica CPU for each delivery to a stream, and KiB for each stream that idles."""
    with OURS.start(bench.folder) as server, crowd(server.path, OURS.room) as talkers, opened(server.path) as streams:
        talkers.connect(1)
        streams.open(WARM)
        server.meter.settle()
        memory = server.meter.memory()
        streams.open(STREAMS)
        server.meter.settle()
        memory = server.meter.memory() - memory
        cpu, load = server.meter.cpu(), Load()
        _talk(talkers.connections[0], streams)
        share = load.share
        void = "" if streams.all_have(b'"message"', PUBLICATIONS) else "some streams did not get all"
        server.meter.settle()
        deliveries = PUBLICATIONS * (STREAMS + WARM)
        each = (server.meter.cpu() - cpu) / deliveries * 1e6
        return Sample(each, share, void), Sample(memory / STREAMS / KIB, share, void)


def _talk(publisher: Connection, streams: Streams) -> None:
    began = time.monotonic()
    for number in range(PUBLICATIONS):
        publisher.send(dump(message(number)))
        streams.read_until(began + (number + 1) / RATE)


def rows(bench: Bench) -> list[Row]:
    """Measure ours; stock has no such thing."""
    work = Work(STREAMS + WARM, STREAMS + WARM, RATE, coalescing=OURS.coalescing, durable=True, protocol="events")
    figures: list[Figure] = bench.figures("streams", OURS, work, ("µs", "KiB"), lambda: measure(bench))
    names = (f"CPU per delivery, {STREAMS + WARM} event streams", "memory per idle, joined event stream")
    return [Row("streams", name, figure) for name, figure in zip(names, figures, strict=True)]
