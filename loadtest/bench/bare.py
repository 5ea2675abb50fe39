"""What the kernel alone takes for a delivery: a loop of `send` over unix sockets, without a server around it."""

from __future__ import annotations

import contextlib
import itertools
import resource
import socket
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAME = bytes(120)
"""About what a chat message takes on the wire."""
SENDS = 20_000
"""In one look at one size; the least number of rounds is ROUNDS."""
ROUNDS = 3
LOOKS = 5
"""At each size in turn; the median counts."""
SPARE = 500
"""Descriptors that others of this process may use."""


def sends(sizes: Sequence[int]) -> dict[int, float]:
    """Return CPU µs a send for each number of sockets, nothing queued on any; one for which descriptors lack shrinks.

    Both ends are in this process, and reading is not counted. Nobody waits for a socket to become readable: less
    than what any server has to pay.
    """
    most = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE) // 2
    sizes = [min(size, most) for size in sizes]
    with contextlib.ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(max(sizes))]
        for end in itertools.chain(*pairs):
            stack.enter_context(end)
            end.setblocking(False)
        looks = [{size: _look(pairs[:size]) for size in sizes} for _ in range(LOOKS)]
    return {size: statistics.median(look[size] for look in looks) for size in sizes}


def _look(pairs: Sequence[tuple[socket.socket, socket.socket]]) -> float:
    ways, used, rounds = [near.send for near, _ in pairs], 0.0, max(ROUNDS, SENDS // len(pairs))
    for _ in range(rounds):
        before = time.thread_time()
        for way in ways:
            way(FRAME)
        used += time.thread_time() - before
        for _, far in pairs:
            far.recv(len(FRAME))
    return used / rounds / len(pairs) * 1e6
