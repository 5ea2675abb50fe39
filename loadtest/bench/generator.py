"""The load: publishes at a rate, records what arrives without looking at it, and judges it byte by byte afterwards."""

from __future__ import annotations

import json
import os
import select
import time
from collections import defaultdict
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.work import PAYLOAD
from crowd import Crowd
from frames import PING, frame_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bench.processes import Address
    from crowd import Connection

READ_BYTES = 1 << 13
"""A read allocates them, so no more than some flushes of small frames."""
PATIENCE = 20.0
"""Seconds for the last frame to arrive before it counts as lost."""
WARM_UP = 20.0
"""Seconds for the first message to reach everybody."""
DIGITS = 9
AT_ONCE = 50
"""Handshakes at a time: stock Daphne listens with a backlog of 50."""


def message(number: int, payload: int = PAYLOAD) -> str:
    """Return the text of a publication, whose JSON is `payload` bytes long."""
    return f"{number:0{DIGITS}d}".ljust(payload - len(dump("")), "x")


def dump(text: str) -> bytes:
    """Return what the publisher sends for a text."""
    return json.dumps({"message": text}, separators=(",", ":")).encode()


class Load:
    """CPU of this process, the generator, while something is measured."""

    def __init__(self) -> None:
        self._cpu, self._began = time.process_time(), time.monotonic()

    @property
    def share(self) -> float:
        """Used so far, over the time passed: 0 to 1."""
        return (time.process_time() - self._cpu) / max(time.monotonic() - self._began, 1e-9)


@dataclass
class Recording:
    """What was sent and what arrived, raw."""

    due: list[float] = field(default_factory=list)
    """When each publication was to leave, monotonic seconds."""
    chunks: list[tuple[float, int, bytes]] = field(default_factory=list)
    """When, on which descriptor, what."""
    numbers: range = range(0)
    """The publications' numbers."""
    arrived: int = 0
    """Bytes."""


class Audience:
    """Receivers of one group, all of them connected; the first one publishes."""

    def __init__(self, connections: Sequence[Connection], payload: int = PAYLOAD) -> None:
        self._streams = {connection.stream.fileno(): connection for connection in connections}
        self._publisher: Connection = connections[0]
        self._payload = payload
        self._next = 0
        self._epoll = select.epoll()
        for descriptor in self._streams:
            self._epoll.register(descriptor, select.EPOLLIN)
        self._before, self._behind = self._learn()

    def close(self) -> None:
        """Let go of the descriptors; their crowd closes them."""
        self._epoll.close()

    @property
    def size(self) -> int:
        """How many receive."""
        return len(self._streams)

    def publish(self, count: int, rate: float) -> Recording:
        """Publish `count` messages at `rate` a second and record until all have arrived or patience ends."""
        recording, began = self.recording(count), time.monotonic()
        for number in recording.numbers:
            due = began + (number - recording.numbers.start) / rate
            self._record(recording, due)
            self.send(number)
            # Its time, not the time it got: what the generator is late counts as latency (no coordinated omission).
            recording.due.append(due)
        self._await_all(recording)
        return recording

    def recording(self, count: int) -> Recording:
        """Return an empty recording for the next `count` messages, which `publish_next` publishes one by one."""
        numbers = range(self._next, self._next + count)
        self._next += count
        return Recording(numbers=numbers)

    def publish_next(self, recording: Recording, until: float) -> bool:
        """Publish one message now, read until then, and longer until all have it; return whether they do at last."""
        due = time.monotonic()
        self.send(recording.numbers[len(recording.due)])
        recording.due.append(due)
        self._record(recording, until)
        return self._await_all(recording)

    def begin(self) -> Recording:
        """Publish one message and read nothing yet."""
        recording = self.recording(1)
        recording.due.append(time.monotonic())
        self.send(recording.numbers[0])
        return recording

    def finish(self, recording: Recording) -> None:
        """Read what `begin` has published."""
        self._await_all(recording)

    def send(self, number: int) -> None:
        """Publish one message."""
        self._publisher.send(dump(message(number, self._payload)))

    def faults(self, recording: Recording) -> str:
        """Return what is wrong with what arrived; empty if every receiver got every publication once, in order."""
        numbers = recording.numbers[: len(recording.due)]
        expected = b"".join(map(self._frame, numbers))
        arrived: defaultdict[int, list[bytes]] = defaultdict(list)
        for _, descriptor, data in recording.chunks:
            arrived[descriptor].append(data)
        streams = {descriptor: b"".join(arrived[descriptor]) for descriptor in self._streams}
        wrong = [stream for stream in streams.values() if _without_pings(stream, expected) != expected]
        if not wrong:
            return ""
        frames = sum(map(len, wrong)) / len(self._frame(0))
        wanted = len(wrong) * len(numbers)
        return f"{len(wrong)} of {self.size} receivers got other than was sent ({frames:.0f} of {wanted} frames)"

    def latencies(self, recording: Recording) -> list[float]:
        """Return for each delivery the seconds from when it was to leave to the read that completed its frame."""
        size, offsets, found = len(self._frame(0)), dict.fromkeys(self._streams, 0), []
        for at, descriptor, data in recording.chunks:
            before = offsets[descriptor]
            offsets[descriptor] = behind = before + len(data)
            found += [at - due for due in recording.due[before // size : behind // size]]
        return found

    def _learn(self) -> tuple[bytes, bytes]:
        """Publish a first message and return what the server puts around a text. Raise BenchError if it gets lost."""
        recording = Recording()
        self._next = 1
        self.send(0)
        end, text = time.monotonic() + WARM_UP, message(0, self._payload).encode()
        while len({descriptor for _, descriptor, _ in recording.chunks}) < self.size and time.monotonic() < end:
            self._record(recording, time.monotonic() + 0.05)
        self._record(recording, time.monotonic() + 0.1)
        arrived: defaultdict[int, bytes] = defaultdict(bytes)
        for _, descriptor, data in recording.chunks:
            arrived[descriptor] += data
        frames = set(arrived.values())
        if len(arrived) != self.size or len(frames) != 1 or (frame := frames.pop()).count(text) != 1:
            raise BenchError(f"Of {self.size} receivers {len(arrived)} got the first message, or not all got the same.")
        before, _, behind = frame.partition(text)
        return before, behind

    def _frame(self, number: int) -> bytes:
        return self._before + message(number, self._payload).encode() + self._behind

    def _await_all(self, recording: Recording) -> bool:
        """Read until all that was published has arrived, or patience ends; return whether it has arrived."""
        wanted = len(recording.due) * self.size * len(self._frame(0))
        end = time.monotonic() + PATIENCE
        while recording.arrived < wanted and time.monotonic() < end:
            self._record(recording, time.monotonic() + 0.02)
        return recording.arrived >= wanted

    def _record(self, recording: Recording, deadline: float) -> None:
        """Read what arrives until the deadline: this loop's cost is the generator's."""
        poll, read, now, keep = self._epoll.poll, os.read, time.monotonic, recording.chunks.append
        arrived = 0
        while (left := deadline - now()) > 0:
            for descriptor, _ in poll(left):
                data = read(descriptor, READ_BYTES)
                if not data:
                    self._epoll.unregister(descriptor)
                arrived += len(data)
                keep((now(), descriptor, data))
        recording.arrived += arrived


def round_trips(connection: Connection, texts: Iterable[bytes], period: float, answers: int = 1) -> list[float]:
    """Send texts one after the other, at most one a period; return the seconds that each answer took."""
    took = []
    for text in texts:
        began = time.monotonic()
        connection.send(text)
        got = 0
        while got < answers:
            got += len(connection.wait())
        took.append(time.monotonic() - began)
        time.sleep(max(0.0, period - took[-1]))
    return took


def _without_pings(stream: bytes, expected: bytes) -> bytes:
    """Return the stream without keepalive pings, which are nobody's publication."""
    if stream == expected:
        return stream
    kept, start = [], 0
    while (frame := frame_at(stream, start)) is not None:
        kind, _, end = frame
        if kind != PING:
            kept.append(stream[start:end])
        start = end
    return b"".join(kept) + stream[start:]


@contextmanager
def audience(path: Path, room: str, count: int, payload: int = PAYLOAD) -> Iterator[Audience]:
    """Connect `count` receivers to the server on a unix socket; they are cut when the block ends."""
    with crowd(path, room) as made:
        made.connect(count, at_once=AT_ONCE)
        with closing(Audience(made.connections, payload)) as receivers:
            yield receivers


@contextmanager
def crowd(address: Address, room: str, subprotocol: str = "", extensions: str = "") -> Iterator[Crowd]:
    """Make a crowd without members, cut when the block ends."""
    with closing(Crowd(address, room, subprotocol, extensions)) as made:
        yield made
