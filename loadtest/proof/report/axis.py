"""Axes of the report's charts: where a value stands between 0 and 1, and which values are written beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STEPS = (1, 2, 5)
CLOCK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
"""Seconds between two ticks of time, as people count it."""
FEW = 5
"""Ticks an axis has at most beside its beginning: what a telephone has room for."""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`; logarithmic where `low` is above 0 and `is_log`."""

    low: float
    high: float
    ticks: tuple[float, ...]
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return where a value stands, 0 to 1; what is beyond an end stands at the end."""
        if self.is_log:
            value = max(value, self.low)
            return min((math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low)), 1.0)
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


def linear(values: Sequence[float]) -> Axis:
    """Return an axis from 0 past the greatest value."""
    step = _round_up(max((*values, 1.0)) / FEW)
    count = math.ceil(max((*values, 1.0)) / step)
    return Axis(0, step * count, tuple(step * number for number in range(count + 1)))


def logarithmic(values: Sequence[float]) -> Axis:
    """Return an axis between powers of ten, halves and fifths of them, round the values above 0."""
    known = [value for value in values if value > 0] or [1.0, 10.0]
    ladder = [step * 10.0**power for power in range(-4, 8) for step in STEPS]
    low = max(value for value in ladder if value <= max(min(known), ladder[0]))
    high = min(value for value in ladder if value > low and value >= min(max(known), ladder[-1]))
    between = [value for value in ladder if low <= value <= high]
    if len(between) > FEW + 1:
        between = _apart([value for value in between if value == low or math.log10(value).is_integer()])
    return Axis(low, high, tuple(between), is_log=True)


def time(first: float, last: float) -> Axis:
    """Return an axis of seconds, its ticks at round times."""
    last = max(last, first + 1)
    step = next((step for step in CLOCK_STEPS if (last - first) / step <= FEW + 1), _round_up((last - first) / FEW))
    ticks = range(math.ceil(first / step), math.floor(last / step) + 1)
    return Axis(first, last, tuple(step * number for number in ticks))


def clock(second: float) -> str:
    """Return a time of the run as it is written at its axis: 0, 45 s, 2:30."""
    if not second:
        return "0"
    minutes, rest = divmod(abs(second), 60)
    sign = "−" if second < 0 else ""  # noqa: RUF001 - the minus of typography
    return f"{sign}{minutes:.0f}:{rest:02.0f}" if minutes else f"{sign}{rest:.0f} s"


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (*STEPS, 10) if step * power >= value * 0.999)


def _apart(ticks: Sequence[float]) -> list[float]:
    """Leave out ticks that stand next to another one's place."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or tick / kept[-1] >= STEPS[-1]:
            kept.append(tick)
    return kept
