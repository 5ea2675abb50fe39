"""A token bucket: so much a second, and some of it at once.

What costs more than all of it at once can be had when it is full, and is paid off before anything else.
"""

from __future__ import annotations

from collections import OrderedDict


class Bucket:
    """Full at the beginning."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, burst: float, now: float) -> None:
        self._at = now
        self._tokens = burst

    def take(self, rate: float, burst: float, now: float, cost: float = 1.0) -> float:
        """Take `cost` tokens and return 0; when there are not as many, take none and return the seconds until then."""
        tokens = min(burst, self._tokens + (now - self._at) * rate)
        self._at = now
        if tokens < (needed := min(cost, burst)):
            self._tokens = tokens
            return (needed - tokens) / rate
        self._tokens = tokens - cost
        return 0.0


class Buckets:
    """One for each name, of which the least used are forgotten: a forgotten one is full again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str, rate: float, burst: float, now: float, cost: float = 1.0) -> float:
        """See Bucket; with a rate of 0 there is no limit."""
        if not rate:
            return 0.0
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(burst, now)
            if len(self._buckets) > self._limit:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
        return bucket.take(rate, burst, now, cost)
