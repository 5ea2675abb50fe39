"""The way of a group's publications to its local sockets: coalesced in time, sliced over sockets, always in order."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanout.encoder import Encoder
    from fanout.policy import Policy
    from fanout.positions import Position
    from fanout.publication import Publication
    from fanout.sockets import Broadcaster, Socket

SLICE = 1000
"""Sockets written to before other groups get their turn: some 5 ms."""


class _Job:
    """Payloads on their way to sockets."""

    __slots__ = ("at", "broadcaster", "gone", "payloads", "sockets")

    def __init__(self, broadcaster: Broadcaster, sockets: Sequence[Socket], payloads: list[bytes]) -> None:
        self.broadcaster = broadcaster
        self.sockets = sockets
        self.payloads = payloads
        self.at = 0
        self.gone: set[Socket] = set()
        """Who has left since: it gets nothing more, not even if it has joined again meanwhile."""


class Delivery:
    """The local sockets of one group.

    A publication leaves at once if none left within the policy's flush interval, else together with the
    others at the interval's end, as one write of several frames. What goes to many sockets goes in slices.
    """

    def __init__(self, group: str, policy: Policy) -> None:
        self._group = group
        self._policy = policy
        self._audiences: dict[tuple[Encoder, Broadcaster], dict[Socket, None]] = {}
        self._held: list[Publication] = []
        self._flushed_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._jobs: deque[_Job] = deque()
        self._loop = asyncio.get_running_loop()
        self.sockets = 0

    def add(self, socket: Socket, encoder: Encoder) -> None:
        """Let the socket have every publication that is delivered from now on."""
        # What is held back was delivered before: the newcomer's position covers it.
        self.flush()
        audience = self._audiences.setdefault((encoder, socket.broadcaster), {})
        self.sockets += socket not in audience
        audience[socket] = None

    def remove(self, socket: Socket, encoder: Encoder) -> None:
        """Let the socket have nothing more."""
        audience = self._audiences.get((encoder, socket.broadcaster), {})
        if socket in audience:
            del audience[socket]
            self.sockets -= 1
        for job in self._jobs:
            job.gone.add(socket)

    def deliver(self, publication: Publication) -> None:
        """Write a publication to every socket, now or at the end of the flush interval."""
        self._held.append(publication)
        if self._timer is not None:
            return
        wait = self._flushed_at + self._policy.flush_interval - self._loop.time()
        if wait <= 0:
            self.flush()
        else:
            self._timer = self._loop.call_later(wait, self.flush)

    def reset(self, position: Position, reason: str) -> None:
        """Tell every socket that what lies before `position` is lost to it."""
        self.flush()
        for (encoder, broadcaster), sockets in self._audiences.items():
            payload = encoder.reset(self._group, position, reason)
            if payload is not None:
                self._send(broadcaster, sockets, [payload])

    def flush(self) -> None:
        """Write what is held back: payloads are made once for all sockets that share an encoder."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._held:
            return
        held, self._held = self._held, []
        self._flushed_at = self._loop.time()
        for (encoder, broadcaster), sockets in self._audiences.items():
            if sockets:
                self._send(broadcaster, sockets, [encoder.publication(each) for each in held])

    def _send(self, broadcaster: Broadcaster, sockets: Iterable[Socket], payloads: list[bytes]) -> None:
        self._jobs.append(_Job(broadcaster, tuple(sockets), payloads))
        if len(self._jobs) == 1:  # else the next slice is on the loop already
            self._write()

    def _write(self) -> None:
        """Write one slice; the next one when all else on the loop had its turn."""
        room = SLICE
        while self._jobs and room > 0:
            job = self._jobs[0]
            part = job.sockets[job.at : job.at + room]
            if job.gone:
                part = tuple(socket for socket in part if socket not in job.gone)
            job.broadcaster.broadcast(part, job.payloads, self._policy.outbox_limit)
            job.at += room
            room -= len(part)
            if job.at >= len(job.sockets):
                self._jobs.popleft()
        if self._jobs:
            self._loop.call_soon(self._write)
