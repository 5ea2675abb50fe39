"""How the cost of a delivery grows with the sockets of a group, and what a large group does to its neighbours."""

from __future__ import annotations

import itertools
import statistics
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import bare
from bench.figure import Figure, Sample
from bench.generator import AT_ONCE, Audience, Load, crowd, dump, message, round_trips
from bench.row import Reach, Row
from bench.sides import STOCK, WITH_KINDS
from bench.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from bench.context import Bench
    from bench.generator import Recording
    from bench.meter import Meter
    from bench.sides import Server, Side
    from crowd import Connection

SIZES = {"ours": (100, 500, 1000, 10_000), "stock": (100, 500, 1000)}
"""Stock would need two minutes for 10,000."""
LONELY_ROOM = "/ws/chat/lonely/"
"""Whose publications go to one."""
NEIGHBOURS = (1000, 10_000)
FLAT = 25.0
"""Percent."""
ONE_A_WRITE = 39.3
"""Publications a second that are each a write of their own at a flush interval of 20 ms."""
SHARE = {"ours": 39_300, "stock": 740}
"""Deliveries a second that a side carries with ease, in half of the time, so that nothing queues."""
# No period of these divides a second: what a server does once a second meets each turn alike.
SECONDS = 5
LATE = 1.25
"""Times the time that was meant for some publications, which is too long."""
LARGE_PUBLICATIONS = {"ours": 10, "stock": 2}
TALK = 50
"""Messages of the other group, which does not coalesce, while one large publication goes out."""
NEIGHBOUR_PERIOD = 0.004
"""Seconds between two of them: several meet each slice of the large one."""
DIFFER = ("rate", "coalescing", "durable")


@dataclass
class Found:
    """What was measured of one side, by the group's size."""

    deliveries: dict[int, list[Sample]] = field(default_factory=dict)
    """µs for each delivery, all told."""
    alone: dict[int, list[Sample]] = field(default_factory=dict)
    """µs for each delivery, less what the same publications cost with one receiver."""
    delays: dict[int, list[Sample]] = field(default_factory=dict)
    """ms by which the other group's slowest message was late, for each large publication."""
    quiet: dict[int, float] = field(default_factory=dict)
    """The same in the worst of as many stretches without one: what the replica's own housekeeping does."""

    def add(self, size: int, measured: list[tuple[float, float, float, str]]) -> None:
        """Take repeats: CPU seconds for each publication to one socket, and to `size`; share; what went wrong."""
        self.deliveries[size] = [Sample(used / size * 1e6, share, void) for _, used, share, void in measured]
        self.alone[size] = [
            Sample((used - base) / (size - 1) * 1e6, share, void) for base, used, share, void in measured
        ]


def rows(bench: Bench) -> list[Row]:
    """Measure ours and stock, each on one server whose group grows."""
    stock, ours = measure(bench, STOCK, repeats=1), measure(bench, WITH_KINDS, repeats=bench.repeats)
    sized = [
        Row("sockets", f"CPU per delivery, {size:,} sockets", _figure(WITH_KINDS, size, ours.deliveries[size]),
            _figure(STOCK, size, stock.deliveries[size]) if size in stock.deliveries else None, differ=DIFFER)
        for size in SIZES["ours"]
    ]  # fmt: skip
    floor = bare.sends(SIZES["ours"])
    return [*sized, _flat_row(ours, floor), *(_delay_row(size, ours, stock) for size in NEIGHBOURS)]


def measure(bench: Bench, side: Side, repeats: int) -> Found:
    """Let one group grow on one server; at some sizes, listen to another group."""
    found = Found()
    with (
        side.start(bench.folder) as server, crowd(server.path, side.room) as members,
        crowd(server.path, LONELY_ROOM) as lonely,
    ):  # fmt: skip
        lonely.connect(1)
        for size in SIZES[side.name]:
            with bench.progress.step(f"sockets, {size:,}, {side.name}") as step:
                members.connect(size - len(members.connections), at_once=AT_ONCE)
                with closing(Audience(members.connections)) as receivers, closing(Audience(lonely.connections)) as one:
                    rate = rate_of(side, size)
                    found.add(size, [by_turns(one, receivers, server.meter, rate) for _ in range(repeats)])
                    if size in NEIGHBOURS:
                        found.quiet[size], found.delays[size] = _neighbour(server, side, receivers)
                step.note = f"{statistics.median(sample.value for sample in found.deliveries[size]):.1f} µs"
    return found


def rate_of(side: Side, size: int) -> float:
    """Return publications a second that the side carries to that many sockets, each a write of its own."""
    return min(ONE_A_WRITE, SHARE[side.name] / size)


def by_turns(one: Audience, many: Audience, meter: Meter, rate: float) -> tuple[float, float, float, str]:
    """Measure publications to one and to many by turns, so that what else the machine does meets both alike.

    Returns CPU seconds for each publication to one and to many, the generator's share in those to many, and what went
    wrong.
    """
    count, turn = max(1, round(rate * SECONDS)), 1 / rate / 2
    alone, all_told = _Turns(one, one.recording(count)), _Turns(many, many.recording(count))
    meter.settle()
    cpu, began = meter.reader(), time.monotonic()
    for turns in (alone, all_told) * count:
        # Nothing is made up for: two publications of a group within a flush interval would be another kind of work.
        if not turns.take(cpu, turn):
            return 0.0, 0.0, 0.0, turns.fault
    took = time.monotonic() - began
    slow = f"{count / took:.2f} publications/s went out of {rate:g}" if took > LATE * count / rate else ""
    return alone.used / count, all_told.used / count, all_told.share, alone.fault or all_told.fault or slow


@dataclass
class _Turns:
    """Publications to one audience, one a turn."""

    audience: Audience
    recording: Recording
    used: float = 0.0
    """CPU seconds of the server."""
    generator: float = 0.0
    """The generator's."""
    passed: float = 0.0
    """Seconds."""

    def take(self, cpu: Callable[[], float], seconds: float) -> bool:
        """Publish one and see what that costs in so long; return whether all got it."""
        before, own, began = cpu(), time.process_time(), time.monotonic()
        is_there = self.audience.publish_next(self.recording, began + seconds)
        self.used += cpu() - before
        self.generator += time.process_time() - own
        self.passed += time.monotonic() - began
        return is_there

    @property
    def share(self) -> float:
        """Of a core that the generator used meanwhile."""
        return self.generator / self.passed

    @property
    def fault(self) -> str:
        """What is wrong with what arrived."""
        return self.audience.faults(self.recording)


def _neighbour(server: Server, side: Side, large: Audience) -> tuple[float, list[Sample]]:
    """Return by how many ms the slowest message of another group is late: without and with large publications."""
    with crowd(server.path, side.other_room) as others:
        others.connect(1)
        talker, texts, count = others.connections[0], _texts(), LARGE_PUBLICATIONS[side.name]
        quiet = [_talk(talker, texts) for _ in range(count)]
        usual = statistics.median(second for stretch in quiet for second in stretch)
        samples = []
        for _ in range(count):
            load, recording = Load(), large.begin()
            late, share = max(_talk(talker, texts)) - usual, load.share
            large.finish(recording)  # read only now: reading is not the replica's delay
            samples.append(Sample(late * 1e3, share, large.faults(recording)))
    return (max(map(max, quiet)) - usual) * 1e3, samples


def _texts() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield dump(message(number))


def _talk(connection: Connection, texts: Iterator[bytes]) -> list[float]:
    return round_trips(connection, itertools.islice(texts, TALK), NEIGHBOUR_PERIOD)


def _figure(side: Side, size: int, samples: list[Sample]) -> Figure:
    work = Work(size, size, rate_of(side, size), coalescing=side.coalescing, durable=side.durable)
    return Figure(side.name, "µs", work, tuple(samples))


def _flat_row(ours: Found, floor: dict[int, float]) -> Row:
    """Return by how many percent the dearest size costs more than the cheapest; `floor` is what the kernel takes."""
    figures = [_figure(WITH_KINDS, size, samples) for size, samples in ours.alone.items()]
    void = next((figure.void for figure in figures if figure.void), "")
    medians = [figure.value or 0.0 for figure in figures]
    if not void and min(medians) <= 0:
        void = "a publication to one receiver cost as much as to all of the smallest group: too disturbed to subtract"
    percent = 0.0 if void else _spread(medians)
    sample = Sample(percent, max(figure.generator for figure in figures), void)
    told = _told({figure.work.sockets: figure.value or 0.0 for figure in figures})
    kernel = _spread(floor.values())
    return Row(
        "sockets", "dearest over cheapest size, the delivery alone",
        Figure(WITH_KINDS.name, "%", figures[-1].work, (sample,)), reach=Reach(FLAT),
        note=f"less what the same publications cost with one receiver; {told}. "
        f"A bare loop of send() over unix sockets, no server around it: {_told(floor)}, dearer by {kernel:.0f} %",
    )  # fmt: skip


def _spread(costs: Collection[float]) -> float:
    return (max(costs) / min(costs) - 1) * 100


def _told(costs: dict[int, float]) -> str:
    return ", ".join(f"{size:,}: {cost:.1f} µs" for size, cost in costs.items())


def _delay_row(size: int, ours: Found, stock: Found) -> Row:
    """Return the median over large publications; the worst of them stands in the spread."""
    work = Work(size + 1, size)
    control = Figure(STOCK.name, "ms", work, tuple(stock.delays[size])) if size in stock.delays else None
    return Row(
        "sockets", f"delay of another group by a publication to {size:,}",
        Figure(WITH_KINDS.name, "ms", work, tuple(ours.delays[size])), control, reach=Reach(20),
        note="the other group's slowest round trip during each, less its usual one; "
        f"without a publication the slowest is {ours.quiet[size]:.0f} ms late",
    )  # fmt: skip
