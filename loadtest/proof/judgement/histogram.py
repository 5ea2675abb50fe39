"""A distribution of times that can be added to another one: exact counts in buckets 3 % wide."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from proof.judgement.result import Latency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STEPS = 5
"""Bits of a value that are kept: 32 buckets for each power of two, so a value is off by 3 % at most."""


def bucket(microseconds: int) -> int:
    """Return the bucket of a time; below 64 µs each microsecond has its own."""
    if microseconds <= 0:
        return 0
    coarse = max(microseconds.bit_length() - STEPS - 1, 0)
    return (coarse << STEPS) + (microseconds >> coarse)


def upper(number: int) -> int:
    """Return the longest time of a bucket, in microseconds."""
    coarse = max((number >> STEPS) - 1, 0)
    return ((number - (coarse << STEPS) + 1) << coarse) - 1


class Histogram(Counter[int]):
    """Bucket to count."""

    def record(self, microseconds: int, count: int = 1) -> None:
        """Count a time."""
        self[bucket(microseconds)] += count

    def latency(self) -> Latency | None:
        """Return the quantiles in milliseconds; None when nothing was recorded."""
        count = self.total()
        if not count:
            return None
        p50, p99, p999 = self._quantiles((0.5, 0.99, 0.999), count)
        return Latency(count, p50, p99, p999, upper(max(number for number, many in self.items() if many)) / 1000)

    def _quantiles(self, shares: Iterable[float], count: int) -> list[float]:
        found, seen, numbers = [], 0, iter(sorted(self.items()))
        number = 0
        for share in shares:
            while seen < share * count:
                number, many = next(numbers)
                seen += many
            found.append(upper(number) / 1000)
        return found


def merged(histograms: Iterable[Mapping[int, int]]) -> Histogram:
    """Return the sum."""
    whole = Histogram()
    for histogram in histograms:
        whole.update(histogram)
    return whole
