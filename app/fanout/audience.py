"""The sockets of one group in this process, by what they understand; written to in slices, always in order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from fanout.counters import counters
from fanout.laggards import Laggards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fanout.encoder import Encoder
    from fanout.sockets import Broadcaster, Socket

logger = logging.getLogger(__name__)

SLICE = 0.002
"""Seconds of writing before everything else gets its turn. Another group's publication needs some five turns (its
publisher's frame, the way to Redis and back, its own slice), and is to be late by less than 20 ms."""
CHUNK = 50
"""Sockets between two looks at the clock."""


class _Job:
    """Payloads on their way to sockets."""

    __slots__ = ("at", "broadcaster", "gone", "payloads", "published_at", "size", "sockets", "uncounted", "value_keys")

    def __init__(
        self,
        broadcaster: Broadcaster,
        sockets: Sequence[Socket],
        payloads: list[bytes],
        value_keys: Sequence[str | None] | None,
        published_at: Sequence[float],
    ) -> None:
        self.broadcaster = broadcaster
        self.sockets = sockets
        self.payloads = payloads
        self.value_keys = value_keys
        self.published_at = published_at
        self.size = sum(map(len, payloads)) if published_at else 0
        self.at = 0
        self.uncounted = 0
        """Sockets that were written to since the last count."""
        self.gone: set[Socket] = set()
        """Who has left since: it gets nothing more, not even if it has joined again meanwhile."""


class _Turns:
    """One slice of one audience a turn of the loop, however many have much to write."""

    def __init__(self) -> None:
        self._audiences: deque[Audience] = deque()

    def take(self, audience: Audience) -> None:
        """Let an audience that has something to write do so: at once if nobody else waits for a turn."""
        self._audiences.append(audience)
        if len(self._audiences) == 1:
            self._next()

    def _next(self) -> None:
        audience = self._audiences[0]
        audience.write()
        self._audiences.popleft()
        if audience.busy:
            self._audiences.append(audience)
        if self._audiences:
            asyncio.get_running_loop().call_soon(self._next)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


class Audience:
    """Sockets that get the same; `limit` bounds the bytes that may wait for one of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sockets: dict[tuple[Encoder, Broadcaster], dict[Socket, None]] = {}
        self._jobs: deque[_Job] = deque()
        self._laggards = Laggards(limit)
        self._loop = asyncio.get_running_loop()
        self._turns = _turns.get(self._loop) or _turns.setdefault(self._loop, _Turns())
        self.size = 0

    @property
    def busy(self) -> bool:
        """Whether something is still on its way to the sockets."""
        return bool(self._jobs)

    def add(self, socket: Socket, encoder: Encoder) -> None:
        """Let the socket have what is sent from now on."""
        sockets = self._sockets.setdefault((encoder, socket.broadcaster), {})
        self.size += socket not in sockets
        sockets[socket] = None

    def remove(self, socket: Socket, encoder: Encoder) -> None:
        """Let the socket have nothing more. Harmless when it is not here."""
        sockets = self._sockets.get((encoder, socket.broadcaster), {})
        if socket in sockets:
            del sockets[socket]
            self.size -= 1
        for job in self._jobs:
            job.gone.add(socket)
        self._laggards.remove(socket)

    def send(
        self,
        make: Callable[[Encoder], Iterable[bytes | None]],
        value_keys: Sequence[str | None] | None = None,
        published_at: Sequence[float] = (),
    ) -> None:
        """Write what `make` returns for each encoder: once for all sockets that share it; None is left out.

        With `value_keys`, one for each payload, nothing is queued for a socket that has not read what it got
        before: it gets the latest payload of each value when it has. `published_at` are times of publications (Unix
        time), for the count of how long they took.
        """
        for (encoder, broadcaster), sockets in self._sockets.items():
            if sockets:
                payloads = [payload for payload in make(encoder) if payload is not None]
                self._start(_Job(broadcaster, tuple(sockets), payloads, value_keys, published_at))

    def _start(self, job: _Job) -> None:
        if job.payloads:
            self._jobs.append(job)
            if len(self._jobs) == 1:  # else it has its turns already
                self._turns.take(self)

    def write(self) -> None:
        """Write one slice."""
        end = self._loop.time() + SLICE
        while self._jobs:
            job = self._jobs[0]
            part = job.sockets[job.at : job.at + CHUNK]
            if job.gone:
                part = tuple(socket for socket in part if socket not in job.gone)
            try:
                self._write_to(part, job)
                job.uncounted += len(part)
            except Exception:  # one socket must not end the delivery of a group
                logger.exception("left out some of %d sockets", len(part))
            job.at += CHUNK
            is_written, is_over = job.at >= len(job.sockets), self._loop.time() >= end
            if is_written or is_over:
                _count(job)
            if is_written:
                self._jobs.popleft()
            if is_over:
                break

    def _write_to(self, sockets: Sequence[Socket], job: _Job) -> None:
        if job.value_keys is None:
            job.broadcaster.broadcast(sockets, job.payloads, self._limit)
        else:
            level = self._laggards.sort_out(sockets, job.value_keys, job.payloads)
            for socket in job.broadcaster.offer(level, job.payloads):
                self._laggards.hold(socket, job.value_keys, job.payloads)


def _count(job: _Job) -> None:
    """Count what was written in this slice: once for all of its sockets, so that it costs each next to nothing."""
    sockets, job.uncounted = job.uncounted, 0
    counters.deliveries += sockets * len(job.payloads)
    if job.published_at:
        counters.delivered_bytes += sockets * job.size
        now, latency = time.time(), counters.latency
        for published_at in job.published_at:
            latency.observe(max(now - published_at, 0.0), sockets)  # clocks of two machines differ
