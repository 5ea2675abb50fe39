"""What a real replica counts while its clients talk."""

import json
import shutil
import socket
import time

import pytest
from websockets.exceptions import InvalidStatus

import fanout
from tests.ops.expositions import samples
from tests.replicas import LIMIT

UPGRADE = (
    b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Protocol: fanout.v1\r\n\r\n"
)


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


async def asked(client, **frame):
    """The answer to a frame."""
    await client.send(json.dumps(frame))
    return json.loads(await client.recv())


async def two_talk(replica, group):
    """Two clients join, one publishes, the other leaves and resumes, and says what is refused; two more stay outside.

    Return what is told while both are still there.
    """
    async with (
        replica.websocket("/ws/", subprotocols=["fanout.v1"]) as one,
        replica.websocket("/ws/", subprotocols=["fanout.v1"]) as two,
    ):
        for client in (one, two):
            assert (await asked(client, type="join", group=group, id=1))["type"] == "joined"
        await one.send(json.dumps({"type": "publish", "group": group, "id": 2, "data": {"message": "hi"}}))
        publication = json.loads(await two.recv())
        assert (await asked(two, type="leave", group=group))["type"] == "left"
        since = {"epoch": publication["epoch"], "offset": publication["offset"]}
        assert (await asked(two, type="join", group=group, id=3, since=since))["type"] == "joined"
        assert (await asked(two, type="leave", group="chat.never"))["code"] == "not_joined"
        for path, options in (("/ws/nowhere/", {}), ("/ws/", {"origin": "https://evil.example"})):
            with pytest.raises(InvalidStatus):
                async with replica.websocket(path, **options):
                    pass
        return scraped(replica)


async def test_a_replica_counts_what_its_clients_do(replica):
    """Two talk, one resumes, one is refused: each leaves its trace, and the way through Redis is measured."""
    before = scraped(replica)
    after = await two_talk(replica, f"chat.counted{time.time_ns()}")
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
