"""An experiment: what permessage-deflate costs and saves, for each socket and for one prepared frame shared by all."""

from __future__ import annotations

import json
import multiprocessing
import random
import statistics
import time
import zlib
from typing import TYPE_CHECKING

import psutil

from bench.figure import Figure, Sample
from bench.parts import connect
from bench.row import Row
from bench.sides import DEFLATING, STOCK
from bench.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.context import Bench

SOCKETS = 1000
PUBLICATIONS = 60
BEGAN = 1_700_000_000
TAIL = b"\x00\x00\xff\xff"
"""What RFC 7692, 7.2.1 cuts from each message."""
WORDS = """
the deploy is through and nothing was lost can you look at web three again yes it drains now who has the pager tonight
I see two of them in the graph thanks let us meet at ten in the small room coffee first then the review
"""


def chat(number: int) -> bytes:
    """Return a chat line as a client gets it: some words and a name."""
    chance = random.Random(number)  # noqa: S311 - no secret
    text = " ".join(chance.choices(WORDS.split(), k=chance.randint(4, 20)))
    return json.dumps({"message": text, "name": chance.choice(("Ada", "Grace", "Linus"))}).encode()


def dashboard(number: int) -> bytes:
    """Return a dashboard's update: forty gauges, all names alike, all numbers new."""
    chance = random.Random(number)  # noqa: S311 - no secret
    gauges = [
        {"name": f"web-{slot}.cpu", "value": round(chance.uniform(0, 100), 2), "unit": "%", "at": BEGAN + number}
        for slot in range(40)
    ]
    return json.dumps({"type": "publication", "group": "dashboard.fleet", "data": gauges}).encode()


TRAFFIC: dict[str, Callable[[int], bytes]] = {"chat": chat, "dashboard": dashboard}


class Own:
    """A compressor for each socket, with its history (autobahn's default: 15 bits of window, memory level 8)."""

    name = "per socket"

    def __init__(self, sockets: int) -> None:
        self.compressors = [zlib.compressobj(wbits=-15, memLevel=8) for _ in range(sockets)]

    def publish(self, text: bytes) -> int:
        """Return the bytes that leave."""
        return sum(len(c.compress(text) + c.flush(zlib.Z_SYNC_FLUSH)) - len(TAIL) for c in self.compressors)


class Shared:
    """One compression a publication, without history (server_no_context_takeover): one frame for all sockets."""

    name = "shared frame"

    def __init__(self, sockets: int) -> None:
        self.sockets = sockets

    def publish(self, text: bytes) -> int:
        """Return the bytes that leave."""
        compressor = zlib.compressobj(wbits=-15, memLevel=8)
        return (len(compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)) - len(TAIL)) * self.sockets


def rows(bench: Bench) -> list[Row]:
    """Measure the compression alone, then stock Daphne with and without it."""
    found = []
    for traffic, make in TRAFFIC.items():
        texts = [make(number) for number in range(PUBLICATIONS)]
        plain = statistics.mean(map(len, texts))
        for way in (Own, Shared):
            with bench.progress.step(f"deflate, {traffic}, {way.name}") as step:
                micros, size, memory = _isolated(way, texts)
                step.note = f"{micros:.2f} µs and {size:.0f} of {plain:.0f} bytes a delivery, {memory:.1f} KiB a socket"
            name = f"{traffic} of {plain:,.0f} bytes, {way.name}"
            found += [
                _row(f"compression a delivery, {name}", "µs", way.name, plain, micros),
                _row(f"bytes a delivery, {name}", "B", way.name, plain, size),
                _row(f"memory a socket, {name}", "KiB", way.name, plain, memory),
            ]
    return [*found, *_on_daphne(bench)]


def _row(name: str, unit: str, side: str, size: float, value: float) -> Row:
    work = Work(SOCKETS, SOCKETS, payload=round(size))
    return Row("deflate", name, Figure(side, unit, work, (Sample(value, 0.0),)))


def _isolated(way: type[Own | Shared], texts: Sequence[bytes]) -> tuple[float, float, float]:
    """Measure in a process of its own, whose memory nothing else has touched."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(compression, (way, texts))


def compression(way: type[Own | Shared], texts: Sequence[bytes]) -> tuple[float, float, float]:
    """Return µs and bytes for each delivery, and KiB for each socket."""
    process = psutil.Process()
    before = process.memory_full_info().uss
    server = way(SOCKETS)
    used, size = time.process_time(), sum(map(server.publish, texts))
    used = time.process_time() - used
    memory = process.memory_full_info().uss - before
    deliveries = len(texts) * SOCKETS
    return used / deliveries * 1e6, size / deliveries, memory / SOCKETS / 1024


def _on_daphne(bench: Bench) -> list[Row]:
    """Return what a negotiated, idle connection costs stock Daphne: nothing was compressed on it yet."""
    plain, deflating = (connect.figures(bench, side, 1) for side in (STOCK, DEFLATING))
    names = ("CPU per handshake with join, deflate negotiated", "memory per idle connection, deflate negotiated")
    return [
        Row("deflate", name, figure, control, note="on Daphne; stock is without")
        for name, figure, control in zip(names, deflating, plain, strict=True)
    ]
