"""End to end: deliveries a second and their latency through nginx, on 1, 2 and 4 replicas."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.figure import Figure, Sample, percentile
from bench.fleet_of import fleet_of
from bench.generator import AT_ONCE, Audience, Load, crowd
from bench.row import Reach, Row
from bench.sides import OURS, STOCK
from bench.work import Work

if TYPE_CHECKING:
    from bench.context import Bench
    from bench.sides import Side

SOCKETS = 1000
SECONDS = 3
REPLICAS = (1, 2, 4)
TARGET, TARGET_REPLICAS = 100_000, 2
"""Deliveries a second to reach, and with how many replicas."""
LATENCY = 100.0
"""Milliseconds that 99 of 100 deliveries at the target stay below."""
OFFERED = {"ours": (25_000, 50_000, 100_000, 150_000, 200_000, 300_000), "stock": (1000, 1500, 2000, 3000, 4000, 6000)}
"""Deliveries a second, one step after the other, until one is not carried."""
KEEPS_UP = 1000.0
"""Milliseconds that the last publication of a step may take to reach everybody: more, and a queue grows."""


@dataclass(frozen=True)
class Step:
    """What came of one offered rate."""

    offered: int
    p50: float
    p99: float
    last: float
    """Of the last publication, the slowest. All in milliseconds."""
    generator: float
    void: str

    @property
    def carried(self) -> bool:
        """Whether all of it arrived in time, and the generator kept up."""
        return not self.limit

    @property
    def limit(self) -> str:
        """Why the step is not carried; empty if it is."""
        late = f"the last publication took {self.last:,.0f} ms" if self.last >= KEEPS_UP else ""
        return Sample(self.p99, self.generator, self.void).reason or late


def rows(bench: Bench) -> list[Row]:
    """Compare ours and stock on each number of replicas."""
    found: list[Row] = []
    for replicas in REPLICAS:
        stock, ours = measure(bench, STOCK, replicas), measure(bench, OURS, replicas)
        found.append(_throughput(replicas, ours, stock))
        found += _latency(replicas, ours) if replicas == TARGET_REPLICAS else []
    return found


def measure(bench: Bench, side: Side, replicas: int) -> list[Step]:
    """Offer more and more until it is not carried."""
    steps: list[Step] = []
    with fleet_of(side, replicas, bench.folder) as fleet, crowd(fleet.address, side.room) as clients:
        with bench.progress.step(f"{SOCKETS:,} connections through nginx, {replicas} x {side.name}"):
            clients.connect(SOCKETS, at_once=AT_ONCE)
        with closing(Audience(clients.connections)) as receivers:
            for offered in OFFERED[side.name]:
                with bench.progress.step(f"{offered:,} deliveries/s, {replicas} x {side.name}") as told:
                    steps.append(_step(receivers, offered))
                    told.note = steps[-1].limit or f"p50 {steps[-1].p50:.1f} ms, p99 {steps[-1].p99:.1f} ms"
                if not steps[-1].carried:
                    break
    return steps


def _step(receivers: Audience, offered: int) -> Step:
    rate, load = offered / receivers.size, Load()
    recording = receivers.publish(round(rate * SECONDS), rate)
    share, void = load.share, receivers.faults(recording)
    late = receivers.latencies(recording) or [float("inf")]
    last = (recording.chunks[-1][0] - recording.due[-1]) * 1e3
    return Step(offered, percentile(late, 50) * 1e3, percentile(late, 99) * 1e3, last, share, void)


def _throughput(replicas: int, ours: list[Step], stock: list[Step]) -> Row:
    name = f"deliveries/s through nginx, {replicas} replica{'s' if replicas > 1 else ''}"
    reach = Reach(TARGET, least=True) if replicas == TARGET_REPLICAS else None
    note = "; ".join(_told(name, steps) for name, steps in (("ours", ours), ("stock", stock)))
    figures = _most(OURS, replicas, ours), _most(STOCK, replicas, stock)
    differ = ("rate", "coalescing", "durable")
    return Row("edge", name, *figures, reach=reach, differ=differ, greater_is_better=True, note=note)


def _told(name: str, steps: list[Step]) -> str:
    """Return a side's latency at what it carried, and why not more."""
    carried = [
        f"{name} at {step.offered:,}: p50 {step.p50:.0f} ms, p99 {step.p99:.0f} ms" for step in steps if step.carried
    ]
    stopped = [f"{name} does not carry {step.offered:,}/s: {step.limit}" for step in steps if step.limit]
    return "; ".join([*carried[-1:], *stopped])


def _most(side: Side, replicas: int, steps: list[Step]) -> Figure:
    """Return the most that was carried; void when not even the first step was."""
    carried = [step for step in steps if step.carried]
    best = carried[-1] if carried else steps[0]
    return _figure(side, replicas, "/s", best, best.offered, "" if carried else best.limit)


def _latency(replicas: int, ours: list[Step]) -> list[Row]:
    """Return p50 and p99 at the target; stock cannot carry it, so nothing stands beside them."""
    step = next((step for step in ours if step.offered == TARGET), ours[-1])
    void = step.void or ("" if step.offered == TARGET else f"{TARGET:,} deliveries/s was not offered: {step.limit}")
    return [
        Row("edge", f"latency p50 at {TARGET:,} deliveries/s, {replicas} replicas",
            _figure(OURS, replicas, "ms", step, step.p50, void)),
        Row("edge", f"latency p99 at {TARGET:,} deliveries/s, {replicas} replicas",
            _figure(OURS, replicas, "ms", step, step.p99, void), reach=Reach(LATENCY)),
    ]  # fmt: skip


def _figure(side: Side, replicas: int, unit: str, step: Step, value: float, void: str) -> Figure:  # noqa: PLR0913,PLR0917
    work = Work(
        SOCKETS, SOCKETS, step.offered / SOCKETS, coalescing=side.coalescing, durable=side.durable,
        replicas=replicas, edge="nginx",
    )  # fmt: skip
    return Figure(side.name, unit, work, (Sample(value, step.generator, void),))
