"""The fleet's page over the wire: who may look, what is told, and when nothing is."""

import asyncio
import contextlib
import json
import signal

import pytest
from redis.asyncio import Redis

from fanout.viewers import HOLDS
from tests.replicas import LIMIT

ROW = {
    "replica", "run", "pid", "state", "trouble", "version", "uptime", "connections", "streams", "memory", "lag",
    "publications", "deliveries", "handshakes", "latency", "groups", "group_count", "events",
}  # fmt: skip
QUIET = 3.0
"""Seconds without a word that tell a page that nobody speaks to: three ticks."""


@contextlib.asynccontextmanager
async def joining(replica, cookie, group="ops.fleet"):
    """A client, and the answer to its join."""
    headers = {"Cookie": cookie} if cookie else {}
    async with replica.websocket("/ws/", subprotocols=["fanout.v1"], additional_headers=headers) as client:
        await client.send(json.dumps({"type": "join", "id": 1, "group": group}))
        yield client, json.loads(await client.recv())


async def rows(client, until):
    """Read rows by replica until they are as wanted."""
    told = {}
    async with asyncio.timeout(LIMIT):
        while not until(told):
            data = json.loads(await client.recv())["data"]
            told[data["replica"]] = data
    return told


async def test_staff_sees_each_replica_and_hears_of_a_planned_exit(replicas, cookies):
    """A row of each, with its process and its start; the last row of one that leaves says so, and how it began."""
    async with joining(replicas[0], cookies["staff"]) as (client, answer):
        assert answer["type"] == "joined"
        told = await rows(client, lambda told: set(told) == {"web-1", "web-2"})
        for replica in replicas:
            row = told[f"web-{replicas.index(replica) + 1}"]
            assert set(row) == ROW
            assert row["pid"] == replica.pid
            assert row["events"][0][3].startswith("has started, version ")
        assert told["web-1"]["groups"] == [["ops.fleet", 1, told["web-1"]["groups"][0][2]]]
        replicas[1].signal(signal.SIGTERM)
        told = await rows(client, lambda told: told.get("web-2", {}).get("state") == "left")
        assert [event[3] for event in told["web-2"]["events"]][-2:] == [
            "drains, 0 connections open",
            "has left as planned",
        ]
        assert replicas[1].wait() == 0


@pytest.mark.parametrize("who", ["nobody", "other"])
@pytest.mark.slow
async def test_nobody_else_gets_in(replicas, cookies, who):
    """No join, no stream, no poll, no publication, whether logged in or not; staff itself can't publish either."""
    cookie = cookies.get(who, "")
    for group in ("ops.fleet", "ops-watch", "ops.other"):
        async with asyncio.timeout(LIMIT), joining(replicas[0], cookie, group) as (client, answer):
            assert (answer["type"], answer["code"]) == ("error", "forbidden")
            await client.send(json.dumps({"type": "publish", "id": 2, "group": group, "data": {"replica": "web-1"}}))
            assert json.loads(await client.recv())["code"] == "forbidden"
    headers = {"Host": "localhost", **({"Cookie": cookie} if cookie else {})}
    assert replicas[0].get("/events/ops.fleet", {**headers, "Accept": "text/event-stream"})[0] == 403
    assert replicas[0].get("/poll/ops.fleet", headers)[0] == 403
    async with asyncio.timeout(LIMIT), joining(replicas[0], cookies["staff"]) as (client, answer):
        assert answer["type"] == "joined"
        await client.send(json.dumps({"type": "publish", "id": 2, "group": "ops.fleet", "data": {"replica": "x"}}))
        while (answer := json.loads(await client.recv()))["type"] == "publication":
            pass
        assert answer["code"] == "forbidden"


async def test_the_page_is_for_staff(replicas, cookies):
    """Others are led to the log-in, or told that it is not for them; nobody keeps it."""
    page = replicas[0].get
    status, headers, _ = page("/ops/", {"Host": "localhost"})
    assert (status, headers["Location"]) == (302, "/accounts/login/?next=/ops/")
    status, _, body = page("/ops/", {"Host": "localhost", "Cookie": cookies["other"]})
    assert (status, b"This page is for staff" in body) == (403, True)
    assert b"ops/fleet.js" not in body
    status, headers, body = page("/ops/", {"Host": "localhost", "Cookie": cookies["staff"]})
    assert (status, b"ops/fleet.js" in body, "no-store" in headers["Cache-Control"]) == (200, True, True)
    assert b'href="/ops/"' in body
    assert b'href="/ops/"' not in page("/", {"Host": "localhost", "Cookie": cookies["other"]})[2]


@pytest.mark.slow
async def test_nothing_is_published_while_nobody_looks(replicas, cookies, own_redis):
    """Also when the only one who did was on a replica that is killed."""
    async with Redis.from_url(own_redis.operators_url) as redis, redis.pubsub(ignore_subscribe_messages=True) as spy:
        await spy.psubscribe("*ops.fleet*", "*ops-watch*")
        assert await spy.get_message(timeout=QUIET) is None
        async with joining(replicas[1], cookies["staff"]) as (client, _):
            await rows(client, lambda told: set(told) == {"web-1", "web-2"})
            replicas[1].signal(signal.SIGKILL)
            replicas[1].wait()
        async with asyncio.timeout(HOLDS + LIMIT):
            while await spy.get_message(timeout=QUIET):
                pass
