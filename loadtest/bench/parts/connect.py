"""What a connection costs: CPU of its handshake with the join, and memory while it idles."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.figure import Figure, Sample
from bench.generator import AT_ONCE, Audience, Load, crowd
from bench.row import Reach, Row
from bench.sides import FANOUT_V1, OURS, STOCK
from bench.work import Work

if TYPE_CHECKING:
    from bench.context import Bench
    from bench.sides import Side
    from crowd import Crowd

CONNECTIONS = 2000
WARM = 200
"""Connections before: imports, caches and the first arenas of memory are nobody's connection."""
REFERENCE = 2900.0
"""µs of stock for a handshake, at the most, on the machine for which the figures to reach were set."""
KIB = 1024
JOIN = json.dumps({"type": "join", "id": 1, "group": "chat.lobby"}).encode()


def measure(bench: Bench, side: Side) -> tuple[Sample, Sample]:
    """Return µs of CPU for each handshake with join, and KiB for each connection that idles after it."""
    offers = side.subprotocol, side.extensions
    with side.start(bench.folder) as server, crowd(server.path, side.room, *offers) as clients:
        meter, first = server.meter, JOIN if side.subprotocol else None
        clients.connect(WARM, at_once=AT_ONCE, first=first)
        meter.settle()
        cpu, memory, load = meter.cpu(), meter.memory(), Load()
        clients.connect(CONNECTIONS, at_once=AT_ONCE, first=first)
        share = load.share
        meter.settle()
        cpu, memory = meter.cpu() - cpu, meter.memory() - memory
        void = _refused(clients, side) or ("" if any(offers) else _not_joined(clients))
        return Sample(cpu / CONNECTIONS * 1e6, share, void), Sample(memory / CONNECTIONS / KIB, share, void)


def _refused(clients: Crowd, side: Side) -> str:
    """Return what the server has not agreed to of what was offered."""
    names = {"sec-websocket-protocol": side.subprotocol, "sec-websocket-extensions": side.extensions}
    for header, wanted in names.items():
        if any(wanted not in connection.headers.get(header, "") for connection in clients.connections):
            return f"the server did not agree to {wanted}"
    return ""


def _not_joined(clients: Crowd) -> str:
    """Return why the connections are no joined ones; a `fanout.v1` client has been told so already."""
    try:
        with closing(Audience(clients.connections)):
            return ""
    except BenchError as error:
        return str(error)


def figures(bench: Bench, side: Side, repeats: int | None = None) -> list[Figure]:
    """Measure one side: the handshake, then the memory."""
    work = Work(CONNECTIONS, 0, coalescing=side.coalescing, durable=side.durable, protocol=side.subprotocol or "plain")
    return bench.figures("connect", side, work, ("µs", "KiB"), lambda: measure(bench, side), repeats=repeats)


def rows(bench: Bench) -> list[Row]:
    """Compare plain clients, for whom 101 means joined; then ours with `fanout.v1`, which is told `joined`."""
    stock = figures(bench, STOCK)
    ours, spoken = figures(bench, OURS), figures(bench, FANOUT_V1)
    others = [figures(bench, side, 1) for side in bench.others]
    handshakes, memories = zip(*others, strict=True) if others else ((), ())
    differ, reach = ("coalescing", "durable"), Reach(450, stock=REFERENCE)
    return [
        Row(
            "connect",
            "CPU per handshake with join: plain",
            ours[0],
            stock[0],
            handshakes,
            Reach(450, stock=REFERENCE),
            differ,
        ),
        Row("connect", "CPU per handshake with join: fanout.v1", spoken[0], reach=reach.on(stock[0].value)),
        Row("connect", "memory per idle, joined connection: plain", ours[1], stock[1], memories, Reach(8), differ),
        Row("connect", "memory per idle, joined connection: fanout.v1", spoken[1], reach=Reach(8)),
    ]
