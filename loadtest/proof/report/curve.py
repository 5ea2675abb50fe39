"""Charts over the time of a run: paths for SVG, labels beside them, and a sentence for who does not see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proof.quantity import compact, milliseconds, of
from proof.report import axis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from proof.judgement.result import Event, Latency, Result, Second
    from proof.report.axis import Axis

SCALE = 1000
"""Units of the drawing, both ways; it is stretched to its place."""
DASH = 8
"""Length of what stands for a single second, in the same units."""
PERCENTILES = (("p99.9", "p999"), ("p99", "p99"), ("p50", "p50"))
"""The highest first, as the curves lie."""
CLOSE = 0.05
"""Share of the width below which two marks of events are set one below the other."""


@dataclass(frozen=True)
class Line:
    """One curve."""

    name: str
    style: str
    """Its class in the style sheet."""
    path: str
    texts: tuple[str, ...]
    """Its value in words for each second, for the one that is pointed at."""


@dataclass(frozen=True)
class Tick:
    """A label of an axis, and its distance from the axis' beginning in per cent."""

    at: float
    text: str


@dataclass(frozen=True)
class Mark:
    """An event on the time axis; distances in per cent of the width."""

    number: int
    at: float
    width: float
    row: int
    failed: bool
    name: str


@dataclass(frozen=True)
class Chart:
    """One picture."""

    key: str
    title: str
    lines: tuple[Line, ...]
    area: str
    """Path of what lies between the lowest and the highest curve; may be empty."""
    ticks: tuple[Tick, ...]
    limit: Tick | None
    said: str
    """What it shows, as a sentence."""


@dataclass(frozen=True)
class Charts:
    """All of a run, and what they share."""

    latencies: tuple[Chart, ...]
    rates: tuple[Chart, ...]
    times: tuple[Tick, ...]
    begin: float
    """Where the first publication stands, in per cent: clients connect before it."""
    marks: tuple[Mark, ...]
    seconds: tuple[str, ...]


def charts(result: Result) -> Charts | None:
    """Return the charts of a run; None of one that has not begun."""
    timeline = result.timeline
    if not timeline:
        return None
    times = axis.time(timeline[0].second, timeline[-1].second)
    latencies = (
        _latencies("delivered", "Publish to receive", result, times, result.p99_limit),
        _latencies("acknowledged", "Publish to ack", result, times),
        _latencies("connected", "Connect to joined", result, times),
    )
    rates = (
        _rate("published", "Publications a second", "publication", timeline, times),
        _rate("received", "Deliveries a second", "delivery", timeline, times),
        _rate("users", "Users", "user", timeline, times),
        _rate("connects", "Connects a second", "connect", timeline, times),
    )
    return Charts(
        latencies=tuple(chart for chart in latencies if chart),
        rates=rates,
        times=tuple(Tick(_percent(times.place(tick)), axis.clock(tick)) for tick in times.ticks),
        begin=_percent(times.place(0)),
        marks=tuple(_marks(result.events, times)),
        seconds=tuple(axis.clock(second.second) for second in timeline),
    )


def _latencies(key: str, title: str, result: Result, times: Axis, limit: float | None = None) -> Chart | None:
    every: list[tuple[int, Latency | None]] = [(second.second, getattr(second, key)) for second in result.timeline]
    known = [(second, latency) for second, latency in every if latency]
    if not known:
        return None
    values = [value for _, each in known for value in (each.p50, each.p999)]
    ladder = axis.logarithmic([*values, limit] if limit and max(values) > limit / 4 else values)
    curves = {name: [getattr(each, name) if each else None for _, each in every] for _, name in PERCENTILES}
    seconds = [second for second, _ in every]
    lines = tuple(
        Line(label, name, _path(seconds, curves[name], times, ladder), tuple(milliseconds(v) for v in curves[name]))
        for label, name in PERCENTILES
    )
    worst_at, worst = max(known, key=lambda pair: pair[1].p99)
    ordered = sorted(each.p99 for _, each in known)
    usual = milliseconds(ordered[len(ordered) // 2])
    said = f"{title}: p99 is {usual} in the median second, {milliseconds(worst.p99)} at worst ({axis.clock(worst_at)})."
    return Chart(
        key, title, lines, _area(seconds, curves["p50"], curves["p999"], times, ladder),
        tuple(Tick(_percent(ladder.place(tick)), milliseconds(tick)) for tick in ladder.ticks),
        Tick(_percent(ladder.place(limit)), f"limit of p99 {milliseconds(limit)}")
        if limit and ladder.low < limit <= ladder.high else None,
        said,
    )  # fmt: skip


def _rate(key: str, title: str, noun: str, timeline: Sequence[Second], times: Axis) -> Chart:
    values: list[float | None] = [getattr(second, key) for second in timeline]
    numbers = [value for value in values if value is not None]
    scale = axis.linear(numbers)
    seconds = [second.second for second in timeline]
    zeros: list[float | None] = [0.0] * len(values)
    line = Line(title, key, _path(seconds, values, times, scale), tuple(compact(value) for value in numbers))
    ticks = tuple(Tick(_percent(scale.place(tick)), compact(tick)) for tick in scale.ticks)
    said = f"{title}: at most {of(round(max(numbers)), noun)}."
    return Chart(key, title, (line,), _area(seconds, zeros, values, times, scale), ticks, None, said)


# -- paths --------------------------------------------------------------------------------------------------------


def _path(seconds: Sequence[int], values: Sequence[float | None], times: Axis, scale: Axis) -> str:
    """Return the path of a curve, interrupted where there is no value."""
    return "".join(_stroke(points) for points in _runs(seconds, values, times, scale.place))


def _stroke(points: Sequence[str]) -> str:
    # A second that stands alone is drawn as a dash.
    return f"M{points[0]}m-{DASH / 2:g} 0h{DASH}" if len(points) == 1 else "M" + "L".join(points)


def _area(
    seconds: Sequence[int], low: Sequence[float | None], high: Sequence[float | None], times: Axis, scale: Axis
) -> str:
    lower, upper = _runs(seconds, low, times, scale.place), _runs(seconds, high, times, scale.place)
    return "".join(
        f"M{'L'.join(above)}L{'L'.join(reversed(below))}Z" for below, above in zip(lower, upper, strict=True)
    )


def _runs(
    seconds: Sequence[int], values: Sequence[float | None], times: Axis, place: Callable[[float], float]
) -> Iterator[list[str]]:
    """Yield the points of each stretch that has values."""
    run: list[str] = []
    for second, value in zip(seconds, values, strict=True):
        if value is not None:
            run.append(f"{SCALE * times.place(second):.1f} {SCALE * (1 - place(value)):.1f}")
        elif run:
            yield run
            run = []
    if run:
        yield run


def _marks(events: Sequence[Event], times: Axis) -> Iterator[Mark]:
    row, before = 0, -1.0
    for number, event in enumerate(events, 1):
        at = times.place(event.at)
        row = (row + 1) % 3 if at - before < CLOSE else 0
        before = at
        width = times.place(event.until) - at if event.until is not None else 0.0
        yield Mark(number, _percent(at), _percent(max(width, 0.0)), row, event.failed, event.name)


def _percent(share: float) -> float:
    return round(100 * share, 2)
