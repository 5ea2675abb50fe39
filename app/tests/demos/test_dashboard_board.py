"""The fleet's board on real replicas: who publishes, when, and until when."""

import asyncio
import contextlib
import json
import signal

import pytest
from redis.asyncio import Redis

from fanout.viewers import HOLDS
from tests.busy import slowed
from tests.replicas import LIMIT

FIGURES = {"connections", "publications", "deliveries", "cpu", "cpu_seconds", "lag", "memory"}
QUIET = 1.5
"""Seconds without a word that tell a board that nobody publishes to: fifteen ticks."""


@pytest.fixture
def replicas(start, own_redis):
    """Two, over a Redis of their own."""
    environment = {"FANOUT_REDIS_URLS": own_redis.url}
    return [start.replica("config.asgi:application", name=name, environment=environment) for name in ("web-1", "web-2")]


@contextlib.asynccontextmanager
async def viewer(replica):
    """A client that looks at the fleet's board."""
    async with replica.websocket("/ws/", subprotocols=["fanout.v1"]) as client:
        await client.send('{"type": "join", "id": 1, "group": "dashboard.fleet"}')
        assert json.loads(await client.recv())["type"] == "joined"
        yield client


async def told_by(client, names):
    """Read until each of these replicas has said something; return it by name."""
    told = {}
    while set(told) < set(names):
        data = json.loads(await client.recv())["data"]
        told[data["replica"]] = data
    return told


@contextlib.asynccontextmanager
async def spy(url):
    """What Redis passes on of the board, whether anybody looks or not."""
    async with Redis.from_url(url) as redis, redis.pubsub(ignore_subscribe_messages=True) as listening:
        await listening.psubscribe("*dashboard.fleet*")
        yield listening


async def is_quiet(listening, seconds):
    """Return once nothing was published for QUIET seconds."""
    async with asyncio.timeout(seconds):
        while await listening.get_message(timeout=QUIET):
            pass


async def test_a_viewer_sees_every_replica_and_its_figures(replicas):
    """Also those that have no viewer of their own: ten times a second each, with the right count of connections."""
    one, _ = replicas
    quiet = one.websocket("/ws/", subprotocols=["fanout.v1"])
    async with asyncio.timeout(LIMIT), viewer(one) as client, quiet:
        told = await told_by(client, ["web-1", "web-2"])
        for data in told.values():
            assert set(data) == FIGURES | {"replica"}
        while told.get("web-1", {}).get("connections") != 2:
            told |= await told_by(client, ["web-1"])
        assert told["web-2"]["connections"] == 0
        begun, count = asyncio.get_running_loop().time(), 0
        while asyncio.get_running_loop().time() - begun < 2:
            count += json.loads(await client.recv())["data"]["replica"] == "web-2"
        busy = slowed()
        assert 5 / busy <= count <= 21 * busy, "ten a second; fewer, or with others that had waited, on a busy machine"


@pytest.mark.slow
async def test_nothing_is_published_while_nobody_looks(replicas, own_redis):
    """Silence before the first viewer, and a few seconds after the last one has gone."""
    async with asyncio.timeout(2 * LIMIT), spy(own_redis.operators_url) as listening:
        await is_quiet(listening, LIMIT)
        async with viewer(replicas[0]) as client:
            await told_by(client, ["web-1", "web-2"])
            assert await listening.get_message(timeout=QUIET)
        await is_quiet(listening, LIMIT)
        async with viewer(replicas[1]) as client:
            assert set(await told_by(client, ["web-1", "web-2"])) == {"web-1", "web-2"}


@pytest.mark.slow
async def test_a_viewer_whose_replica_is_killed_keeps_nobody_talking(replicas, own_redis):
    """What the dead one has said holds for HOLDS seconds, no longer."""
    async with asyncio.timeout(2 * LIMIT), spy(own_redis.operators_url) as listening:
        async with viewer(replicas[0]) as client:
            await told_by(client, ["web-1", "web-2"])
            replicas[0].signal(signal.SIGKILL)
            replicas[0].wait()
        await is_quiet(listening, HOLDS + LIMIT)


@pytest.mark.slow
async def test_clients_can_neither_forge_the_board_nor_keep_it_going(replicas):
    """The fleet's board is read only, and the group in which replicas say that they have viewers is closed."""
    async with asyncio.timeout(LIMIT), replicas[0].websocket("/ws/", subprotocols=["fanout.v1"]) as client:
        for number, frame in enumerate(
            [
                {"type": "publish", "group": "dashboard.fleet", "data": {"cpu": 1}},
                {"type": "publish", "group": "dashboard-watch", "data": "web-1"},
                {"type": "join", "group": "dashboard-watch"},
            ]
        ):
            await client.send(json.dumps({**frame, "id": number}))
            answer = json.loads(await client.recv())
            assert (answer["id"], answer["code"]) == (number, "forbidden")


@pytest.mark.slow
async def test_a_planned_exit_is_not_held_up_by_viewers(replicas):
    """The board ends with its replica, without a word in the log."""
    async with asyncio.timeout(LIMIT), viewer(replicas[0]) as client:
        await told_by(client, ["web-1"])
        assert replicas[0].stop() == 0
    assert "Traceback" not in replicas[0].log
    assert "never retrieved" not in replicas[0].log


def post(replica, group, data):
    """Publish over plain HTTP; return the status and the text of the answer."""
    with replica.http() as connection:
        headers = {"Content-Type": "application/json", "Host": "localhost"}
        connection.request("POST", f"/groups/{group}/publications", json.dumps(data), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.slow
async def test_numbers_come_over_plain_http_too(replicas):
    """A board takes a POST, the fleet's own board and the arena do not: each says why."""
    assert post(replicas[0], "dashboard.office", {"temperature": 21.5})[0] == 202
    status, text = post(replicas[0], "dashboard.office", {"temperature": "warm"})
    assert (status, "temperature must be a number, not str" in text) == (422, True)
    assert post(replicas[0], "dashboard.fleet", {"cpu": 1})[0] == 403
    status, text = post(replicas[0], "game.main", {"ticket": "x", "x": 1, "y": 1})
    assert (status, "over a WebSocket only" in text) == (422, True)
