"""Locust's own statistics: many deliveries are one entry each half second, not an event each."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import gevent
from locust.stats import bucket_response_time

if TYPE_CHECKING:
    from locust.stats import RequestStats, StatsEntry

METHOD = "WS"
EVERY = 0.5
"""Seconds; Locust's workers report every 3 s, its charts are drawn every 2 s."""


class Charts:
    """Of one process."""

    def __init__(self, stats: RequestStats) -> None:
        self._stats = stats
        self._held: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._flusher = gevent.spawn(self._run)

    def add(self, name: str, milliseconds: int, count: int = 1) -> None:
        """Count so many requests of one duration."""
        self._held[name][max(milliseconds, 0)] += count

    def fail(self, name: str, sentence: str) -> None:
        """Count a failure; the sentence stands in Locust's failures."""
        self._stats.log_request(METHOD, name, 0, 0)
        self._stats.log_error(METHOD, name, sentence)

    def stop(self) -> None:
        """Hand over the rest."""
        self._flusher.kill()
        self._flush()

    def _run(self) -> None:
        while True:
            gevent.sleep(EVERY)
            self._flush()

    def _flush(self) -> None:
        held, self._held = self._held, defaultdict(Counter)
        for name, times in held.items():
            for entry in (self._stats.total, self._stats.entries[(name, METHOD)]):
                for milliseconds, count in times.items():
                    _log(entry, milliseconds, count)


def _log(entry: StatsEntry, milliseconds: int, count: int) -> None:
    """Do what `count` calls of `entry.log` would do."""
    entry.log(milliseconds, 0)
    more = count - 1
    entry.num_requests += more
    entry.total_response_time += more * milliseconds
    entry.response_times[bucket_response_time(milliseconds)] += more
    if entry.last_request_timestamp is not None:
        entry.num_reqs_per_sec[int(entry.last_request_timestamp)] += more
