"""What every part of the benchmark is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.figure import Figure, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.sides import Server, Side
    from bench.work import Work
    from fleet.progress import Progress


@dataclass(frozen=True)
class Bench:
    """One run: its folder, its Redis, how thorough it is, and where it tells what it does."""

    folder: Path
    redis: Server
    progress: Progress
    repeats: int = 3
    others: tuple[Side, ...] = ()
    """Further servers that run the stock consumer."""
    quick: bool = False
    """Seconds instead of minutes: for the test suite, not for publishing."""

    def figures(  # noqa: PLR0913 - a measurement is all of this
        self,
        name: str,
        side: Side,
        work: Work,
        units: Sequence[str],
        measure: Callable[[], tuple[Sample, ...]],
        *,
        repeats: int | None = None,
    ) -> list[Figure]:
        """Repeat a measurement that gives one sample a unit, showing progress; one void repeat ends it."""
        taken: list[tuple[Sample, ...]] = []
        for number in range(1, (repeats or self.repeats) + 1):
            with self.progress.step(f"{name}, {side.name}, {number}") as step:
                taken.append(measure())
                step.note = _told(taken[-1], units)
            if any(sample.reason for sample in taken[-1]):
                break
        return [
            Figure(side.name, unit, work, column) for unit, column in zip(units, zip(*taken, strict=True), strict=True)
        ]


def _told(samples: Sequence[Sample], units: Sequence[str]) -> str:
    void = next((sample.reason for sample in samples if sample.reason), "")
    if void:
        return f"void: {void}"
    return ", ".join(f"{sample.value:,.4g} {unit}" for sample, unit in zip(samples, units, strict=True))
