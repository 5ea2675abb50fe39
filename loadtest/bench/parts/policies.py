"""What a policy's promises cost: kept in a stream or not, coalesced or not; and how long a publisher waits."""

from __future__ import annotations

import functools
import json
import statistics
from contextlib import closing
from typing import TYPE_CHECKING

from bench.figure import Figure, Sample, percentile
from bench.generator import Audience, Load, audience, crowd, dump, message, round_trips
from bench.parts.delivery import SOCKETS, Run, figure, work_of
from bench.row import Row
from bench.sides import OURS, STOCK, kind
from bench.work import PAYLOAD, Work

if TYPE_CHECKING:
    from bench.context import Bench
    from bench.sides import Side

EPHEMERAL = kind("ephemeral", coalescing="20 ms", durable=False)
DURABLE = kind("durable", coalescing="20 ms", durable=True)
IMMEDIATE = kind("immediate", coalescing="none", durable=False)
FAST = Run(250, 3)
ALONE = Run(200, 5, sockets=1)
"""Publications for one receiver: what is left is the publication's own cost."""
TRIPS = 200
WARM = 20
PERIOD = 0.025
"""Seconds between two publications of one publisher: past the flush interval, so that none is held back."""


def rows(bench: Bench) -> list[Row]:
    """Compare the benchmark's kinds, which differ in one thing each, and the stock layer where it has the same."""
    return [*_coalescing(bench), *_publications(bench), *_hearing(bench), *_waits(bench)]


def _coalescing(bench: Bench) -> list[Row]:
    """Delivery at 250 msg/s: one write for each publication, and one each 20 ms."""
    return [
        Row("policies", f"CPU per delivery, {SOCKETS} sockets, 250 msg/s: {told}", figure(bench, side, FAST))
        for told, side in (
            ("ephemeral, coalescing 20 ms", EPHEMERAL),
            ("ephemeral, no coalescing", IMMEDIATE),
            ("durable, coalescing 20 ms", DURABLE),
        )
    ]


def _publications(bench: Bench) -> list[Row]:
    """CPU of the replica and of Redis for each publication that one socket sends and gets."""
    units = ("µs", "µs")
    name = "publication, one receiver"
    stock = bench.figures(name, STOCK, work_of(STOCK, ALONE), units, lambda: _publish(bench, STOCK), repeats=1)
    found = []
    for told, side in (("ephemeral", EPHEMERAL), ("durable", DURABLE)):
        measure = functools.partial(_publish, bench, side)
        replica, redis = bench.figures(name, side, work_of(side, ALONE), units, measure, repeats=1)
        differ = ("coalescing", "durable")
        found += [
            Row("policies", f"replica CPU per publication, one receiver: {told}", replica, stock[0], differ=differ),
            Row("policies", f"Redis CPU per publication, one replica: {told}", redis, stock[1], differ=differ),
        ]
    return found


def _publish(bench: Bench, side: Side) -> tuple[Sample, Sample]:
    with side.start(bench.folder) as server, audience(server.path, side.room, ALONE.sockets) as receivers:
        server.meter.settle()
        replica, redis, load = server.meter.cpu(), bench.redis.meter.cpu(), Load()
        recording = receivers.publish(ALONE.publications, ALONE.rate)
        share = load.share
        replica, redis = server.meter.cpu() - replica, bench.redis.meter.cpu() - redis
        void = receivers.faults(recording)
    per = 1e6 / ALONE.publications
    return Sample(replica * per, share, void), Sample(redis * per, share, void)


def _hearing(bench: Bench) -> list[Row]:
    """CPU of a replica for each publication that a client of another one made, with one receiver here."""
    name = "publication of another replica, one receiver"
    measure = functools.partial(_hear, bench, DURABLE)
    (heard,) = bench.figures(name, DURABLE, work_of(DURABLE, ALONE), ("µs",), measure, repeats=1)
    return [Row("policies", f"replica CPU per {name}: durable", heard)]


def _hear(bench: Bench, side: Side) -> tuple[Sample]:
    with (
        side.start(bench.folder) as speaker, side.start(bench.folder, "web-2") as server,
        crowd(speaker.path, side.room) as there, crowd(server.path, side.room) as here,
    ):  # fmt: skip
        there.connect(1)
        here.connect(1)
        with closing(Audience([*there.connections, *here.connections])) as both:
            server.meter.settle()
            before, load = server.meter.cpu(), Load()
            recording = both.publish(ALONE.publications, ALONE.rate)
            share = load.share
            server.meter.settle()
            used = server.meter.cpu() - before
            void = both.faults(recording)
    return (Sample(used / ALONE.publications * 1e6, share, void),)


def _waits(bench: Bench) -> list[Row]:
    """Milliseconds until a publisher has its own message back, and until it is acknowledged."""
    stock, ours = (_waited(bench, side, "own message") for side in (STOCK, OURS))
    differ = ("coalescing", "durable")
    found = [
        Row("policies", f"publisher has its own message back: {name}", ours[number], stock[number], differ=differ)
        for number, name in enumerate(("p50", "p99"))
    ]
    for side in (EPHEMERAL, DURABLE):
        acks = _waited(bench, side, "ack")
        told = side.name.removeprefix("ours, ")
        found += [
            Row("policies", f"publish to ack: {told}, {name}", acks[number])
            for number, name in enumerate(("p50", "p99"))
        ]
    return found


def _waited(bench: Bench, side: Side, what: str) -> list[Figure]:
    measure = _own_message if what == "own message" else _ack
    work = Work(1, int(what == "own message"), 1 / PERIOD, coalescing=side.coalescing, durable=side.durable,
                protocol="plain" if what == "own message" else "fanout.v1")  # fmt: skip
    return bench.figures(f"publish to {what}", side, work, ("ms", "ms"), lambda: measure(bench, side), repeats=1)


def _own_message(bench: Bench, side: Side) -> tuple[Sample, Sample]:
    texts = [dump(message(number)) for number in range(TRIPS)]
    return _trips(bench, side, side.room, "", texts)


def _ack(bench: Bench, side: Side) -> tuple[Sample, Sample]:
    group = f"{side.name.removeprefix('ours, ')}.bench"
    data = {"message": message(0, PAYLOAD)}
    texts = [json.dumps({"type": "publish", "id": n, "group": group, "data": data}).encode() for n in range(TRIPS)]
    return _trips(bench, side, "/ws/", "fanout.v1", texts)


def _trips(bench: Bench, side: Side, path: str, subprotocol: str, texts: list[bytes]) -> tuple[Sample, Sample]:
    with side.start(bench.folder) as server, crowd(server.path, path, subprotocol) as clients:
        clients.connect(1)
        round_trips(clients.connections[0], texts[:WARM], PERIOD)
        load = Load()
        took = round_trips(clients.connections[0], texts[WARM:], PERIOD)
    return Sample(statistics.median(took) * 1e3, load.share), Sample(percentile(took, 99) * 1e3, load.share)
