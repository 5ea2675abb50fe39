"""What this process has done since it began: plain numbers that whoever measures may read at any time.

Counting is an addition to an attribute, a histogram's a bisection more, once for all sockets that are written to in a
slice: less than a µs for all of them, where each takes some four. In `app/`:

    python -m timeit -s 'import time; from fanout.audience import _Job, _count
    job = _Job(None, (), [b"x" * 100], None, (time.time(),))' 'job.uncounted = 100; _count(job)'

Who exports them looks at scrape (ops/metrics.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fanout.histogram import Histogram

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: bounds of the time from a publication to a socket; 0.25 is what the objective speaks of."""
ROUND_TRIPS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds: bounds of a round trip to Redis, which is given up after 2."""

ACCEPTED, REFUSED, BAD_ORIGIN, LIMITED = "accepted", "refused", "bad_origin", "limited"
UNAVAILABLE, FAILED = "unavailable", "failed"
HANDSHAKES = (ACCEPTED, REFUSED, BAD_ORIGIN, LIMITED, UNAVAILABLE, FAILED)
"""What may become of a handshake. Limited: over a limit of its address. Unavailable: Redis did not confirm. Failed: an
error of ours."""


@dataclass(slots=True)
class Counters:
    """All of them only grow, but for what waits."""

    publications: int = 0
    """Made by this process, by its clients and its own code, and taken by the channel layer."""
    unavailable: int = 0
    """Publications that the channel layer has not taken: Redis was away, full, or refused them."""
    deliveries: int = 0
    """Publications and other frames of a group, times the sockets of this process that they went to."""
    delivered_bytes: int = 0
    """Of publications among those, without the frames' heads."""
    latency: Histogram = field(default_factory=lambda: Histogram(LATENCIES))
    """From a publication, by its publisher's clock, to the write to a socket: each delivery of one counts."""
    coalesced: int = 0
    """Publications that left in the write of another."""
    superseded: int = 0
    """Publications of ephemeral groups that never left: a newer one of the same value superseded them."""
    handshakes: Counter[str] = field(default_factory=Counter)
    """By what became of them, one of HANDSHAKES."""
    joins: int = 0
    resumes: Counter[str] = field(default_factory=Counter)
    """Joins with a position: `recovered` or `reset`."""
    resets: Counter[str] = field(default_factory=Counter)
    """Clients whose position could not be gone on from, by reason."""
    gaps: int = 0
    """Gaps in a live stream that were found, and filled or told."""
    too_slow: int = 0
    """Clients cut off at the limit of their outbox by this package; a server of ours counts its own."""
    refusals: Counter[str] = field(default_factory=Counter)
    """What clients asked for and did not get, by the error's code."""
    limited: Counter[str] = field(default_factory=Counter)
    """What a limit has refused or ended, by the limit's name in limits/bounds.py."""
    round_trips: Histogram = field(default_factory=lambda: Histogram(ROUND_TRIPS))
    """To Redis and back, of the commands that leave together."""
    reconnects: int = 0
    """Connections to Redis that were lost and are there again."""
    archived: int = 0
    """Publications that this process has copied into the archive."""
    archive_lost: int = 0
    """Publications that were gone before this process could copy them."""
    archive_waiting_since: float | None = None
    """Since when the oldest that is not copied yet has waited, seconds since 1970; None: nothing waits. What has passed
    since then is the archive's lag."""


counters = Counters()
"""This process's own."""
