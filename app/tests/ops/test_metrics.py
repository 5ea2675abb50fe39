"""What a replica counts, as Prometheus reads it."""

import json
import shutil
import socket
import subprocess
import time
from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus

import fanout
from fanout.audience import _count, _Job
from fanout.counters import HANDSHAKES, Counters, Histogram
from fanout.durable.feed import RESET_REASONS
from fleet.packages import require
from ops.metrics import REFUSALS, RESUMES, Reading, exposition
from ops.readiness import OK, STATES
from tests.replicas import LIMIT

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


UPGRADE = (
    b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Protocol: fanout.v1\r\n\r\n"
)


def families(text):
    """The families of an exposition, by name."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(text):
    """The value of each sample, by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families(text).values()
        for sample in family.samples
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


# -- a real replica ------------------------------------------------------------------------------------


@pytest.fixture
def replica(start, migrate, redis_server):
    """A replica over a real Redis, ready."""
    migrate()
    made = start.replica(environment={"FANOUT_REDIS_URLS": redis_server.url})
    made.said("readiness: redis: ok")
    return made


def scraped(replica):
    """The samples of a replica's /metrics."""
    status, headers, body = replica.get("/metrics")
    assert (status, headers["X-Replica"]) == (200, "web-1")
    assert headers["Content-Type"].startswith("text/plain")
    return samples(body.decode())


async def test_a_replica_counts_what_its_clients_do(replica):
    """Two talk, one resumes, one is refused: each leaves its trace, and the way through Redis is measured."""
    before = scraped(replica)
    group = f"chat.counted{time.time_ns()}"
    async with (
        replica.websocket("/ws/", subprotocols=["fanout.v1"]) as one,
        replica.websocket("/ws/", subprotocols=["fanout.v1"]) as two,
    ):
        for client in (one, two):
            await client.send(json.dumps({"type": "join", "group": group, "id": 1}))
            assert json.loads(await client.recv())["type"] == "joined"
        await one.send(json.dumps({"type": "publish", "group": group, "id": 2, "data": {"message": "hi"}}))
        publication = json.loads(await two.recv())
        await two.send(json.dumps({"type": "leave", "group": group}))
        assert json.loads(await two.recv())["type"] == "left"
        since = {"epoch": publication["epoch"], "offset": publication["offset"]}
        await two.send(json.dumps({"type": "join", "group": group, "id": 3, "since": since}))
        assert json.loads(await two.recv())["type"] == "joined"
        await two.send(json.dumps({"type": "leave", "group": "chat.never"}))
        assert json.loads(await two.recv())["code"] == "not_joined"
        with pytest.raises(InvalidStatus):
            async with replica.websocket("/ws/nowhere/"):
                pass
        with pytest.raises(InvalidStatus):
            async with replica.websocket("/ws/", origin="https://evil.example"):
                pass
        after = scraped(replica)
    more = {name: after[name] - before.get(name, 0) for name in after}
    assert after[("fanout_connections", "websocket")] == 2
    assert after[("fanout_subscriptions",)] == 2
    expected = {
        ("fanout_handshakes_total", "accepted"): 2, ("fanout_handshakes_total", "refused"): 1,
        ("fanout_handshakes_total", "bad_origin"): 1, ("fanout_joins_total",): 3,
        ("fanout_publications_total",): 1, ("fanout_deliveries_total",): 2,
        ("fanout_resumes_total", "recovered"): 1, ("fanout_resumes_total", "reset"): 0,
        ("fanout_refusals_total", "not_joined"): 1, ("fanout_delivery_latency_seconds_count",): 2,
    }  # fmt: skip
    assert {name: more[name] for name in expected} == expected
    assert more[("fanout_delivered_bytes_total",)] > 40
    assert 0 < more[("fanout_delivery_latency_seconds_sum",)] < 20
    assert more[("fanout_redis_round_trip_seconds_count",)] >= 3
    assert after[("fanout_replica_state", "ready")] == 1


def test_the_loop_of_a_replica_is_watched(replica):
    """From its start: ticks come in, and none of an idle replica's is long."""
    deadline = time.monotonic() + LIMIT
    while scraped(replica)[("fanout_loop_lag_seconds_count",)] < 3:
        assert time.monotonic() < deadline


def until(replica, holds):
    """The samples of a replica, once they are so."""
    deadline = time.monotonic() + LIMIT
    while not holds(found := scraped(replica)):
        assert time.monotonic() < deadline, found
    return found


async def test_a_client_that_does_not_read_is_counted(replica):
    """First what waits for it, then that it was cut off; who reads gets all."""
    group, text = f"chat.slow{time.time_ns()}", "x" * 60_000
    raw = replica.connection()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with raw:
        raw.sendall(UPGRADE)
        assert raw.recv(4096).startswith(b"HTTP/1.1 101")
        join = json.dumps({"type": "join", "group": group}).encode()
        raw.sendall(b"\x81" + bytes([0x80 | len(join)]) + bytes(4) + join)
        async with replica.websocket("/ws/", subprotocols=["fanout.v1"]) as talker:
            await talker.send(json.dumps({"type": "join", "group": group}))
            assert json.loads(await talker.recv())["type"] == "joined"
            until(replica, lambda found: found[("fanout_subscriptions",)] == 2)
            waited = 0.0
            for number in range(60):
                frame = {"type": "publish", "group": group, "id": number, "data": {"message": text}}
                await talker.send(json.dumps(frame))
                for _ in range(2):  # the answer, and the publication
                    await talker.recv()
                waited = max(waited, scraped(replica)[("fanout_outbox_bytes",)])
            found = until(replica, lambda found: found[("fanout_slow_consumers_total",)] == 1)
    assert 500_000 < waited < 2_000_000
    assert found[("fanout_connections", "websocket")] >= 1


async def test_a_redis_that_is_away_is_counted(start, migrate, own_redis):
    """A publication that it has not taken, the state, the check, and the connection that is there again."""
    migrate()
    replica = start.replica(environment={"FANOUT_REDIS_URLS": own_redis.url})
    replica.said("readiness: redis: ok")
    async with replica.websocket("/ws/", subprotocols=["fanout.v1"]) as client:
        own_redis.stop()
        replica.said("readiness: redis: (?!ok)")
        await client.send(json.dumps({"type": "publish", "group": "chat.away", "id": 1, "data": {"message": "x"}}))
        assert json.loads(await client.recv())["code"] == "unavailable"
        found = scraped(replica)
        assert found[("fanout_publications_unavailable_total",)] == 1
        assert found[("fanout_refusals_total", "unavailable")] == 1
        assert found[("fanout_replica_state", "degraded")] == 1
        assert found[("fanout_check_ok", "redis")] == 0
        own_redis.start()
        replica.said("readiness: redis: ok")
    found = until(replica, lambda found: found[("fanout_redis_reconnects_total",)] >= 1)
    assert found[("fanout_replica_state", "ready")] == 1


def test_version_and_targets_are_asked_of_a_replica(replica):
    """It knows what it is made of, and its neighbours by their sockets."""
    _, _, body = replica.get("/version")
    assert json.loads(body)["version"] == fanout.__version__
    shutil.copy("/dev/null", replica.path.parent / "web-9.sock")
    _, _, body = replica.get("/ops/targets", {"Host": "nginx:8081"})
    assert [each["labels"]["replica"] for each in json.loads(body)] == ["web-1", "web-9"]


# -- what it costs -------------------------------------------------------------------------------------


def test_counting_costs_less_than_four_percent_of_a_delivery():
    """Beside 50 small frames to 50 sockets of the kernel, the least that it takes: one or two, by processor."""
    from server.frames import text_frame

    pairs = [socket.socketpair() for _ in range(50)]
    job = _Job(None, (), [b"x" * 100], None, (time.time(),))
    frame = text_frame(b"x" * 100)

    def deliver():
        for writer, _ in pairs:
            writer.send(frame)

    def count():
        for _ in range(10):
            _count(job, 50)

    try:
        counting, delivering = best(count) / 10, best(deliver, after=lambda: [reader.recv(4096) for _, reader in pairs])
    finally:
        for ends in pairs:
            for end in ends:
                end.close()
    assert counting < 0.04 * delivering


def best(action, *, after=lambda: None):
    """The CPU seconds that an action takes when nothing is in its way."""
    least = float("inf")
    for _ in range(50):
        began = time.process_time()
        action()
        least = min(least, time.process_time() - began)
        after()
    return least
