"""`/metrics`: this process's counts as Prometheus reads them. Nothing is made of them before somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf
from typing import TYPE_CHECKING, Any

from prometheus_client import PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from fanout.counters import HANDSHAKES, counters
from fanout.durable.feed import RESET_REASONS
from fanout.errors import FanoutError
from fanout.http.events import open_streams
from fanout.http.problems import HTTP_CODES
from fanout.hub import hub_here
from fanout.laggards import held_bytes
from fanout.limits.bounds import NAMES as LIMITS
from fanout.replica import EXTENSION, replica_of
from ops.readiness import OK, STATES
from ops.version import versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from fanout.asgi import Scope
    from fanout.counters import Counters
    from fanout.histogram import Histogram
    from ops.readiness import Readiness

RESUMES = ("recovered", "reset")
REFUSALS = tuple(sorted({*HTTP_CODES, *(error.code for error in FanoutError.__subclasses__())}))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a scrape finds, beside the counters."""

    counters: Counters
    replica: str
    state: str
    checks: Mapping[str, str]
    lateness: Histogram
    connections: int | None
    """Open WebSockets; None under a server that does not count them."""
    streams: int
    subscriptions: int
    groups: int
    filled: int
    queued_bytes: int
    """In outboxes of this process."""
    too_slow: int


class ReplicaCollector(Collector):
    """Yields the families of one reading. Names and units as Prometheus has them; each label's values are few."""

    def __init__(self, reading: Reading) -> None:
        self._now = reading

    def collect(self) -> Iterator[Metric]:
        """Return all families."""
        yield from self._state()
        yield from self._clients()
        yield from self._publications()
        yield from self._faults()
        yield from self._redis()

    def _state(self) -> Iterator[Metric]:
        now = self._now
        build = {name.replace("-", "_"): version for name, version in versions().items()}
        yield InfoMetricFamily("fanout_build", "Who this is, and what it is made of.", {"name": now.replica, **build})
        yield labelled(
            GaugeMetricFamily("fanout_replica_state", "1 for the state that /readyz tells.", labels=["state"]),
            {state: state == now.state for state in STATES},
        )
        yield labelled(
            GaugeMetricFamily("fanout_check_ok", "Whether what a replica depends on answers.", labels=["check"]),
            {check: result == OK for check, result in now.checks.items()},
        )
        yield histogram("fanout_loop_lag_seconds", "How late a tick of the event loop was, each 0.1 s.", now.lateness)

    def _clients(self) -> Iterator[Metric]:
        now = self._now
        open_now = {"events": now.streams}
        if now.connections is not None:
            open_now["websocket"] = now.connections
        connections = GaugeMetricFamily("fanout_connections", "Clients that are connected.", labels=["transport"])
        yield labelled(connections, open_now)
        handshakes = CounterMetricFamily("fanout_handshakes", "WebSocket handshakes.", labels=["result"])
        yield labelled(handshakes, with_zeros(now.counters.handshakes, HANDSHAKES))
        yield GaugeMetricFamily("fanout_groups", "Groups with subscriptions here.", now.groups)
        yield GaugeMetricFamily("fanout_subscriptions", "Places of clients in groups.", now.subscriptions)
        yield CounterMetricFamily("fanout_joins", "Joins that succeeded.", now.counters.joins)
        resumes = CounterMetricFamily("fanout_resumes", "Joins behind a position.", labels=["result"])
        yield labelled(resumes, with_zeros(now.counters.resumes, RESUMES))

    def _publications(self) -> Iterator[Metric]:
        count = self._now.counters
        yield CounterMetricFamily("fanout_publications", "Publications made here and taken.", count.publications)
        yield CounterMetricFamily(
            "fanout_publications_unavailable", "Publications that Redis has not taken.", count.unavailable
        )
        yield CounterMetricFamily("fanout_deliveries", "Frames of groups times sockets.", count.deliveries)
        yield CounterMetricFamily("fanout_delivered_bytes", "Payload bytes of deliveries.", count.delivered_bytes)
        yield histogram(
            "fanout_delivery_latency_seconds", "From a publication to the write to a socket.", count.latency
        )
        yield CounterMetricFamily("fanout_coalesced", "Publications that left in another's write.", count.coalesced)
        yield CounterMetricFamily(
            "fanout_superseded", "Ephemeral publications that a newer one superseded.", count.superseded
        )

    def _faults(self) -> Iterator[Metric]:
        now, count = self._now, self._now.counters
        resets = CounterMetricFamily("fanout_resets", "Clients told `reset`: they miss something.", labels=["reason"])
        yield labelled(resets, with_zeros(count.resets, RESET_REASONS))
        yield CounterMetricFamily("fanout_gaps_found", "Gaps in live streams.", count.gaps)
        yield CounterMetricFamily("fanout_gap_publications_filled", "Publications fetched for gaps.", now.filled)
        yield GaugeMetricFamily("fanout_outbox_bytes", "What waits for clients to read.", now.queued_bytes)
        yield CounterMetricFamily(
            "fanout_slow_consumers", "Clients cut off at their outbox' limit.", now.too_slow + count.too_slow
        )
        refusals = CounterMetricFamily("fanout_refusals", "What clients asked for and did not get.", labels=["code"])
        yield labelled(refusals, with_zeros(count.refusals, REFUSALS))

        limited = CounterMetricFamily("fanout_limited", "What a limit has refused or ended.", labels=["limit"])
        yield labelled(limited, with_zeros(count.limited, LIMITS))

    def _redis(self) -> Iterator[Metric]:
        count = self._now.counters
        yield histogram("fanout_redis_round_trip_seconds", "Commands to Redis and their answers.", count.round_trips)
        yield CounterMetricFamily("fanout_redis_reconnects", "Connections to Redis made anew.", count.reconnects)


def labelled(family: Any, values: Mapping[str, float]) -> Metric:
    """Return the family with a sample for each value of its one label."""
    for label, value in values.items():
        family.add_metric([label], float(value))
    return family  # type: ignore[no-any-return]


def with_zeros(counted: Mapping[str, int], known: Iterable[str]) -> dict[str, int]:
    """Return a count for each known value: what begins at nothing has no rate."""
    return {label: counted.get(label, 0) for label in known}


def histogram(name: str, text: str, counted: Histogram) -> Metric:
    """Return a family of one histogram."""
    buckets = [("+Inf" if isinf(bound) else str(bound), count) for bound, count in counted.cumulated()]
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=counted.sum)


async def reading_of(scope: Scope, readiness: Readiness) -> Reading:
    """Look at everything once; what takes long is looked at in parts."""
    extension = scope.get("extensions", {}).get(EXTENSION, {})
    status = extension["status"]() if "status" in extension else {}
    queued = await extension["queued_bytes"]() if "queued_bytes" in extension else 0
    hub = hub_here()
    subscriptions = hub.groups if hub is not None else {}
    return Reading(
        counters=counters,
        replica=replica_of(scope),
        state=readiness.state(draining=status.get("draining", False)),
        checks=readiness.checks,
        lateness=readiness.lag.lateness,
        connections=status.get("connections"),
        streams=open_streams(),
        subscriptions=sum(subscriptions.values()),
        groups=len(subscriptions),
        filled=hub.filled if hub is not None else 0,
        queued_bytes=queued + held_bytes(),
        too_slow=status.get("too_slow", 0),
    )


def exposition(reading: Reading, accept: str) -> tuple[str, bytes]:
    """Return media type and body, in the format that `accept` (the header) asks for."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(ReplicaCollector(reading))
    encode, media_type = choose_encoder(accept)
    return media_type, encode(registry)
