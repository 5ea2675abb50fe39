"""One measured number: its repeats, its unit, the work behind it, and whether it may be believed."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.work import Work

BUSY = 0.8
"""Share of a core from which a generator no longer keeps up: its own queueing would be measured."""


@dataclass(frozen=True)
class Sample:
    """One repeat."""

    value: float
    generator: float
    """CPU of the generator over the wall time of the measurement, 0 to 1."""
    void: str = ""
    """Why the value means nothing; empty if it does."""

    @property
    def reason(self) -> str:
        """Why it is void, or nothing."""
        if not self.void and self.generator > BUSY:
            return f"the generator used {self.generator:.0%} of a core, over {BUSY:.0%} it is the bottleneck"
        return self.void


@dataclass(frozen=True)
class Figure:
    """The repeats of one measurement on one side."""

    side: str
    unit: str
    work: Work
    samples: tuple[Sample, ...]

    @property
    def void(self) -> str:
        """Why the figure means nothing; empty if it does. One void repeat is enough."""
        if not self.samples:
            return "it was not measured"
        return next((sample.reason for sample in self.samples if sample.reason), "")

    @property
    def value(self) -> float | None:
        """The median of the repeats; None when void."""
        return None if self.void else statistics.median(sample.value for sample in self.samples)

    @property
    def spread(self) -> tuple[float, float] | None:
        """Least and greatest of the repeats; None when void."""
        if self.void:
            return None
        values = [sample.value for sample in self.samples]
        return min(values), max(values)

    @property
    def generator(self) -> float:
        """The generator's largest CPU share."""
        return max((sample.generator for sample in self.samples), default=0.0)


def percentile(values: list[float], percent: float) -> float:
    """Return the smallest value that `percent` of all values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values, no percentile")
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]
