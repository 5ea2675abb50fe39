"""What a replica counts, as Prometheus reads it."""

import asyncio
import socket
import subprocess
import time
from collections import Counter

from fanout.audience import Audience, _count, _Job
from fanout.counters import HANDSHAKES, Counters, Histogram
from fanout.durable.feed import RESET_REASONS
from fleet.packages import require
from ops.metrics import REFUSALS, RESUMES, Reading, exposition
from ops.readiness import OK, STATES
from tests.ops.expositions import families, samples

NAMES = {
    "fanout_build_info": "gauge",
    "fanout_replica_state": "gauge",
    "fanout_check_ok": "gauge",
    "fanout_loop_lag_seconds": "histogram",
    "fanout_connections": "gauge",
    "fanout_handshakes": "counter",
    "fanout_groups": "gauge",
    "fanout_subscriptions": "gauge",
    "fanout_joins": "counter",
    "fanout_resumes": "counter",
    "fanout_publications": "counter",
    "fanout_publications_unavailable": "counter",
    "fanout_deliveries": "counter",
    "fanout_delivered_bytes": "counter",
    "fanout_delivery_latency_seconds": "histogram",
    "fanout_coalesced": "counter",
    "fanout_superseded": "counter",
    "fanout_resets": "counter",
    "fanout_gaps_found": "counter",
    "fanout_gap_publications_filled": "counter",
    "fanout_outbox_bytes": "gauge",
    "fanout_slow_consumers": "counter",
    "fanout_refusals": "counter",
    "fanout_limited": "counter",
    "fanout_redis_round_trip_seconds": "histogram",
    "fanout_redis_reconnects": "counter",
}


def reading(**changes):
    """What a scrape finds, with some of it changed."""
    given = {
        "counters": Counters(), "replica": "web-7", "state": "ready", "checks": {"redis": OK, "database": "gone"},
        "lateness": Histogram((0.1, 1.0)), "connections": 3, "streams": 2, "subscriptions": 5, "groups": 4,
        "filled": 6, "queued_bytes": 7, "too_slow": 8,
    }  # fmt: skip
    return Reading(**{**given, **changes})


def told(now):
    """The exposition of a reading, in Prometheus' own format."""
    media_type, body = exposition(now, "")
    assert media_type.startswith("text/plain")
    return body.decode()


def test_each_family_has_its_name_and_kind():
    """And the process' own, which every Python process has."""
    found = families(told(reading()))
    ours = {name: family.type for name, family in found.items() if name.startswith("fanout_")}
    assert ours == NAMES
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds", "python_info"} <= set(found)


def test_promtool_finds_nothing_to_object_to():
    """Names, units, help and kinds are as Prometheus' conventions have them."""
    done = subprocess.run(
        [require("promtool"), "check", "metrics"], input=told(reading()), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_labels_have_few_values_and_all_of_them_from_the_start():
    """What begins at nothing would have no rate the first time that it happens."""
    found = families(told(reading()))
    values = {
        name: sorted({value for sample in family.samples for value in sample.labels.values()})
        for name, family in found.items()
        if name in ("fanout_replica_state", "fanout_handshakes", "fanout_resumes", "fanout_resets", "fanout_refusals")
    }
    assert values == {
        "fanout_replica_state": sorted(STATES),
        "fanout_handshakes": sorted(HANDSHAKES),
        "fanout_resumes": sorted(RESUMES),
        "fanout_resets": sorted(RESET_REASONS),
        "fanout_refusals": sorted(REFUSALS),
    }
    assert {"unavailable", "too_large", "bad_origin", "key_conflict"} <= set(REFUSALS)


def test_what_is_counted_is_told():
    """Each number at its place."""
    counted = Counters(
        publications=1, unavailable=2, deliveries=3, delivered_bytes=4, coalesced=5, superseded=6,
        handshakes=Counter(accepted=7), joins=8, resumes=Counter(reset=9), resets=Counter(lost=10), gaps=11,
        too_slow=12, refusals=Counter(forbidden=13, nobodys=1), reconnects=14,
    )  # fmt: skip
    counted.latency.observe(0.3, 2)
    found = samples(told(reading(counters=counted, state="degraded")))
    assert found[("fanout_build_info", *next(value for name, *value in found if name == "fanout_build_info"))] == 1
    assert (found[("fanout_replica_state", "degraded")], found[("fanout_replica_state", "ready")]) == (1, 0)
    assert (found[("fanout_check_ok", "redis")], found[("fanout_check_ok", "database")]) == (1, 0)
    assert (found[("fanout_connections", "websocket")], found[("fanout_connections", "events")]) == (3, 2)
    plain = {
        "fanout_publications_total": 1, "fanout_publications_unavailable_total": 2, "fanout_deliveries_total": 3,
        "fanout_delivered_bytes_total": 4, "fanout_coalesced_total": 5, "fanout_superseded_total": 6,
        "fanout_joins_total": 8, "fanout_gaps_found_total": 11, "fanout_redis_reconnects_total": 14,
        "fanout_slow_consumers_total": 20, "fanout_groups": 4, "fanout_subscriptions": 5, "fanout_outbox_bytes": 7,
        "fanout_gap_publications_filled_total": 6, "fanout_delivery_latency_seconds_count": 2,
    }  # fmt: skip
    assert {name: found[(name,)] for name in plain} == plain
    assert found[("fanout_handshakes_total", "accepted")] == 7
    assert found[("fanout_resumes_total", "reset")] == 9
    assert found[("fanout_resets_total", "lost")] == 10
    assert found[("fanout_refusals_total", "forbidden")] == 13
    assert ("fanout_refusals_total", "nobodys") not in found
    assert found[("fanout_delivery_latency_seconds_bucket", "0.25")] == 0
    assert found[("fanout_delivery_latency_seconds_bucket", "0.5")] == 2


def test_on_a_server_that_does_not_count_connections_none_are_told():
    """0 would be a lie."""
    found = samples(told(reading(connections=None)))
    assert ("fanout_connections", "websocket") not in found
    assert found[("fanout_connections", "events")] == 2


def test_who_asks_for_openmetrics_gets_it():
    """As Prometheus does."""
    media_type, body = exposition(reading(), "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert media_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


# -- what it costs -------------------------------------------------------------------------------------


async def test_counting_costs_less_than_two_percent_of_a_delivery():
    """Beside what a group of 100 takes, whose sockets have no reader that would have to be woken."""
    from server.sockets import ReplicaSocket

    pairs = [socket.socketpair() for _ in range(100)]
    audience = Audience(1 << 20)
    for writer, _ in pairs:
        member = ReplicaSocket.__new__(ReplicaSocket)
        member._straight = writer.send
        audience.add(member, None)
    job = _Job(None, (), [b"x" * 100], None, (time.time(),))

    def count():
        for job.uncounted in range(100, 110):
            _count(job)

    counting = delivering = float("inf")
    try:
        for _ in range(2000):  # by turns and for a while: what else the machine does comes in bursts
            counting = min(counting, cpu(count) / 10)
            took = cpu(lambda: audience.send(lambda _: job.payloads, None, job.published_at))
            if not audience.busy:  # else its slice ended within: something else had the core
                delivering = min(delivering, took)
            while audience.busy:  # noqa: ASYNC110 - it waits for its turn of this loop
                await asyncio.sleep(0)
            for _, reader in pairs:
                reader.recv(4096)
    finally:
        for ends in pairs:
            for end in ends:
                end.close()
    assert counting < 0.02 * delivering, f"{counting / delivering:.2%}"


def cpu(action):
    """The CPU seconds that an action takes."""
    began = time.process_time()
    action()
    return time.process_time() - began
