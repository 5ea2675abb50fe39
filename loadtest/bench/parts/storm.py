"""A storm: 5,000 handshakes at once through nginx, as after a network's return."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.figure import Figure, Sample
from bench.fleet_of import fleet_of
from bench.generator import Load
from bench.row import Reach, Row
from bench.sides import OURS, STOCK
from bench.work import Work
from crowd import handshake

if TYPE_CHECKING:
    from bench.context import Bench
    from bench.sides import Side

HANDSHAKES = 5000
REPLICAS = 2
LIMIT = 60.0
"""Seconds until a handshake without an answer counts as one that never came."""
AT_ONCE_SECONDS = 1.5
"""In which the generator has to have begun all of them, or it was no storm."""


@dataclass
class Storm:
    """What came back."""

    answers: Counter[str] = field(default_factory=Counter)
    began: float = 0.0
    """Seconds it took to begin all."""
    seconds: float = 0.0
    """Until the last answer."""
    generator: float = 0.0

    @property
    def failed(self) -> int:
        """Handshakes that were not answered with 101."""
        return self.answers.total() - self.answers["101"]


def rows(bench: Bench) -> list[Row]:
    """Compare two replicas of ours and of stock, each behind the same nginx."""
    ours, stock = (measure(bench, side) for side in (OURS, STOCK))
    differ = ("coalescing", "durable")
    note = "; ".join(f"{name}: {_told(storm)}" for name, storm in (("ours", ours), ("stock", stock)))
    failed = _figure(OURS, "", ours, ours.failed), _figure(STOCK, "", stock, stock.failed)
    lasted = _figure(OURS, "s", ours, ours.seconds), _figure(STOCK, "s", stock, stock.seconds)
    name = f"of {HANDSHAKES:,} handshakes at once"
    return [
        Row("storm", f"{name} not answered with 101", *failed, reach=Reach(0), differ=differ, note=note),
        Row("storm", f"{name} the last one's answer", *lasted, differ=differ, note="a refusal is an answer too"),
    ]


def measure(bench: Bench, side: Side) -> Storm:
    """Let one storm go."""
    with (
        fleet_of(side, REPLICAS, bench.folder) as fleet,
        bench.progress.step(f"storm of {HANDSHAKES:,}, {REPLICAS} x {side.name}") as step,
    ):
        storm = let_go(fleet.address, side.room, HANDSHAKES)
        step.note = _told(storm)
        return storm


def let_go(address: tuple[str, int], room: str, count: int) -> Storm:
    """Begin all handshakes, then take the answers as they come."""
    storm, request, load, start = Storm(), handshake(room), Load(), time.monotonic()
    with ExitStack() as stack, select.epoll() as epoll:
        opened = [stack.enter_context(socket.socket()) for _ in range(count)]
        waiting = {connection.fileno(): connection for connection in opened}
        for connection in opened:
            connection.setblocking(False)
            _begin(connection, address)
            epoll.register(connection, select.EPOLLOUT)
        storm.began = time.monotonic() - start
        while waiting and (left := start + LIMIT - time.monotonic()) > 0:
            for descriptor, _ in epoll.poll(left):
                answer = _go_on(epoll, waiting[descriptor], request)
                if answer:
                    epoll.unregister(descriptor)
                    del waiting[descriptor]
                    storm.answers[answer] += 1
        storm.seconds, storm.generator = time.monotonic() - start, load.share
        storm.answers["no answer"] += len(waiting)
    return storm


def _begin(connection: socket.socket, address: tuple[str, int]) -> None:
    error = connection.connect_ex(address)
    if error not in (0, errno.EINPROGRESS):
        raise OSError(error, os.strerror(error))


def _go_on(epoll: select.epoll, connection: socket.socket, request: bytes) -> str:
    """Send the request when connected, then read the answer's head; return its status when it is there."""
    try:
        try:
            head = connection.recv(4096)
        except BlockingIOError:
            connection.sendall(request)
            epoll.modify(connection, select.EPOLLIN)
            return ""
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "error")
    return head.split(b" ", 2)[1].decode() if head.startswith(b"HTTP/1.1 ") else "closed without an answer"


def _told(storm: Storm) -> str:
    counted = ", ".join(f"{count:,} x {answer}" for answer, count in sorted(storm.answers.items()) if count)
    return f"{counted} within {storm.seconds:.1f} s"


def _figure(side: Side, unit: str, storm: Storm, value: float) -> Figure:
    work = Work(HANDSHAKES, 0, coalescing=side.coalescing, durable=side.durable, replicas=REPLICAS, edge="nginx")
    slow = f"the generator needed {storm.began:.1f} s to begin: no storm"
    return Figure(
        side.name, unit, work, (Sample(value, storm.generator, slow if storm.began > AT_ONCE_SECONDS else ""),)
    )
