"""CPU of a replica for each delivered message, one group of 500 sockets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.figure import Figure, Sample
from bench.generator import Load, audience
from bench.row import Reach, Row
from bench.sides import OURS, STOCK
from bench.work import Work

if TYPE_CHECKING:
    from bench.context import Bench
    from bench.sides import Side

SOCKETS = 500
REFERENCE = 340.0
"""µs of stock for a delivery, at the most, on the machine for which the figures to reach were set."""
STOCK_RATE = 4.0
"""Publications a second that stock carries to 500 sockets without a queue: at 250 to 350 µs a delivery, half a core."""


@dataclass(frozen=True)
class Run:
    """How long and how fast a side is asked to publish."""

    rate: float
    seconds: float
    sockets: int = SOCKETS

    @property
    def publications(self) -> int:
        """How many that are."""
        return max(1, round(self.rate * self.seconds))


def work_of(side: Side, run: Run) -> Work:
    """Declare what a side is asked to do."""
    return Work(run.sockets, run.sockets, run.rate, coalescing=side.coalescing, durable=side.durable)


def measure(bench: Bench, side: Side, run: Run) -> tuple[Sample]:
    """Return µs of replica CPU for each delivery."""
    with side.start(bench.folder) as server, audience(server.path, side.room, run.sockets) as receivers:
        server.meter.settle()
        before, load = server.meter.cpu(), Load()
        recording = receivers.publish(run.publications, run.rate)
        share = load.share
        server.meter.settle()
        used = server.meter.cpu() - before
        deliveries = run.publications * run.sockets
        return (Sample(used / deliveries * 1e6, share, receivers.faults(recording)),)


def figure(bench: Bench, side: Side, run: Run, repeats: int | None = None) -> Figure:
    """Measure one side."""
    name = f"delivery, {run.sockets:,} sockets, {run.rate:g} msg/s"
    return bench.figures(name, side, work_of(side, run), ("µs",), lambda: measure(bench, side, run), repeats=repeats)[0]


def rows(bench: Bench) -> list[Row]:
    """Compare at 60 and at 250 publications a second; stock runs at a rate that it can carry."""
    run = Run(60, 2 if bench.quick else 4)
    control = Run(STOCK_RATE, 2 if bench.quick else 4)
    stock = figure(bench, STOCK, control)
    others = tuple(figure(bench, side, control, 1) for side in bench.others)
    row = Row(
        "delivery", "CPU per delivery, 500 sockets, 60 msg/s", figure(bench, OURS, run), stock, others,
        reach=Reach(7.5, ratio=30, stock=REFERENCE), differ=("rate", "coalescing", "durable"),
        note="stock is saturated at 60 msg/s: it runs at what it carries, and the cost of one delivery is compared",
    )  # fmt: skip
    if bench.quick:
        return [replace(row, reach=Reach(ratio=20))]
    fast = Row(
        "delivery", "CPU per delivery, 500 sockets, 250 msg/s", figure(bench, OURS, Run(250, 4)), stock,
        reach=Reach(3.5, stock=REFERENCE), differ=row.differ,
        note="several publications a write; stock cannot carry the rate",
    )  # fmt: skip
    return [row, fast]
