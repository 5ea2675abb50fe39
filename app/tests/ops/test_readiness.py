"""Readiness: its states as a function, its probes in this process, and its life in real replicas."""

import asyncio
import contextlib
import itertools
import json
import signal

import pytest
from websockets.asyncio.client import unix_connect

from fanout.errors import Unavailable
from fanout.layers import InMemoryChannelLayer
from ops import readiness
from ops.readiness import OK, Readiness
from tests.replicas import LIMIT

# -- states ------------------------------------------------------------------------------------------


def with_checks(redis, database=OK):
    probe = Readiness("web-1")
    probe.checks = {"redis": redis, "database": database}
    return probe


@pytest.mark.parametrize(("redis", "database"), list(itertools.product([OK, "gone"], repeat=2)))
def test_only_all_checks_make_it_ready(redis, database):
    """Before that it is starting."""
    expected = "ready" if redis == database == OK else "starting"
    assert with_checks(redis, database).state(draining=False) == expected


def test_before_the_first_probe_it_is_starting():
    """Nobody is sent to a replica that has not looked."""
    assert Readiness("web-1").state(draining=False) == "starting"


def test_what_was_ready_once_is_degraded_and_comes_back():
    """It stays in service while Redis is away."""
    probe = with_checks(OK)
    assert probe.state(draining=False) == "ready"
    probe.checks["redis"] = "gone"
    assert probe.state(draining=False) == "degraded"
    probe.checks["redis"] = OK
    assert probe.state(draining=False) == "ready"


@pytest.mark.parametrize("redis", [OK, "gone"])
def test_draining_is_stronger_than_everything(redis):
    """Nobody new is wanted."""
    assert with_checks(redis).state(draining=True) == "draining"


@pytest.mark.parametrize(("late", "state"), [(0.0, "ready"), (1.9, "ready"), (2.1, "stuck")])
def test_a_loop_that_hardly_turns_is_stuck(late, state):
    """Clients are better off elsewhere; but who drains says so."""
    probe = with_checks(OK)
    probe.lag._late = late
    assert probe.state(draining=False) == state
    assert probe.state(draining=True) == "draining"


# -- probes in this process ----------------------------------------------------------------------------


class Layer(InMemoryChannelLayer):
    """A layer that fails as it is told, and says when it was probed."""

    failure = None

    def __init__(self):
        super().__init__()
        self.probed = asyncio.Event()

    async def publish(self, group, data):
        self.probed.set()
        if self.failure == "silence":
            return
        if self.failure is not None:
            raise self.failure
        await super().publish(group, data)


@pytest.fixture
async def probed(monkeypatch):
    """A Readiness on a layer that fails as told; `next()` returns what a whole new probe has found."""
    layer = Layer()

    async def schema_state():
        return OK

    monkeypatch.setattr(readiness, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(readiness, "schema_state", schema_state)
    monkeypatch.setattr(readiness, "PROBE_EVERY", 0)
    monkeypatch.setattr(readiness, "PROBE_LIMIT", 0.2)
    probe = Readiness("web-1")
    probe.start()

    async def following(failure):
        layer.failure = failure
        async with asyncio.timeout(LIMIT):
            for _ in range(3):  # the probe under way, a whole one with this failure, and the one that follows it
                layer.probed.clear()
                await layer.probed.wait()
        return dict(probe.checks)

    probe.following = following
    yield probe
    await probe.stop()


async def test_a_publication_that_comes_back_is_ok(probed):
    """The whole way: publish, Redis, reader."""
    assert await probed.following(None) == {"redis": OK, "database": OK}


async def test_a_layer_that_is_away_is_told_in_its_own_words(probed):
    """And it heals."""
    assert (await probed.following(Unavailable("Redis is away.")))["redis"] == "Redis is away."
    assert (await probed.following(None))["redis"] == OK


async def test_why_redis_is_away_is_told(probed):
    """By what the network or Redis said; clients are told no more than that it is."""
    away = Unavailable("Redis is away.")
    away.__cause__ = ConnectionRefusedError("Error 111 connecting to redis:6379.")
    assert (await probed.following(away))["redis"] == "Redis can't be reached: Error 111 connecting to redis:6379."
    away.__cause__ = TimeoutError()
    assert (await probed.following(away))["redis"] == "Redis can't be reached: no answer in time"


async def test_a_publication_that_does_not_come_back_is_told(probed):
    """A reader that hears nothing is no reader."""
    assert (await probed.following("silence"))["redis"] == "a publication did not come back within 0.2 s"
    assert (await probed.following(None))["redis"] == OK


async def test_an_error_that_nobody_thought_of_does_not_end_the_probes(probed, caplog):
    """Or the last verdict would stand for ever."""
    assert (await probed.following(RuntimeError("surprise")))["redis"] == "the probe failed: RuntimeError: surprise"
    assert "Traceback" in caplog.text
    assert (await probed.following(None))["redis"] == OK


async def test_a_database_that_goes_is_told_and_comes_back(probed, monkeypatch):
    """It is asked again and again once its schema is current, and the schema again after an outage."""
    said = ["the database does not answer: gone"]

    async def database_state():
        return said[0]

    monkeypatch.setattr(readiness, "DATABASE_EVERY", 0)
    monkeypatch.setattr(readiness, "database_state", database_state)
    monkeypatch.setattr(readiness, "schema_state", database_state)
    probed._look_at = 0.0
    assert (await probed.following(None))["database"] == said[0]
    said[0] = OK
    assert (await probed.following(None))["database"] == OK


@pytest.mark.django_db(transaction=True)
async def test_a_database_that_answers_is_well():
    """One question without a table."""
    assert await readiness.database_state() == OK


async def test_a_probe_that_was_stopped_starts_no_more_publications(probed):
    """The end is the end; a second one is harmless."""
    await probed.following(None)
    await probed.stop()
    await probed.stop()


# -- real replicas -------------------------------------------------------------------------------------


def readyz(replica):
    """Return status and body of /readyz."""
    status, headers, body = replica.get("/readyz")
    assert headers["X-Replica"] == "web-1"
    return status, json.loads(body)


def test_redis_comes_goes_and_comes_back(start, migrate, own_redis):
    """starting, ready, degraded, ready: by itself, and healthy all the time."""
    migrate()
    own_redis.stop()
    replica = start.replica(environment={"FANOUT_REDIS_URLS": own_redis.url})
    replica.said("readiness: redis: ")
    status, body = readyz(replica)
    assert (status, body["status"], body["replica"]) == (503, "starting", "web-1")
    assert body["checks"]["database"] == OK
    assert "Redis" in body["checks"]["redis"]
    assert replica.get("/healthz")[0] == 200

    own_redis.start()
    replica.said("readiness: redis: ok")
    status, body = readyz(replica)
    assert (status, body["status"], body["checks"]) == (200, "ready", {"redis": OK, "database": OK})

    own_redis.stop()
    replica.said("readiness: redis: (?!ok)")
    status, body = readyz(replica)
    assert (status, body["status"]) == (200, "degraded")
    assert "Redis" in body["checks"]["redis"]
    assert replica.get("/healthz")[0] == 200

    own_redis.start()
    replica.said("readiness: redis: ok")
    assert readyz(replica)[1]["status"] == "ready"
    assert replica.stop() == 0


def test_missing_migrations_keep_it_from_service_until_they_are_there(start, migrate):
    """The sentence says how many, which first, and what to do; no restart is needed."""
    replica = start.replica()
    replica.said("readiness: database: ")
    status, body = readyz(replica)
    assert (status, body["status"]) == (503, "starting")
    assert body["checks"]["database"].endswith("is the first): run manage.py migrate")
    assert "migrations are not applied" in body["checks"]["database"]
    migrate()
    replica.said("readiness: database: ok")
    assert readyz(replica)[0] == 200


def test_a_database_that_does_not_answer_is_told(start):
    """Here its folder is missing."""
    replica = start.replica(environment={"FANOUT_DATABASE": f"sqlite://{start.folder}/none/db.sqlite3"})
    replica.said("readiness: database: the database does not answer: unable to open database file")
    assert readyz(replica)[0] == 503


async def test_a_draining_replica_says_so(start, migrate, held):
    """503 to who still has a connection."""
    migrate()
    replica = start.replica(held)
    replica.said("readiness: redis: ok")
    with replica.http() as asking, replica.http() as request:
        asking.request("GET", "/readyz")
        assert json.loads(asking.getresponse().read())["status"] == "ready"
        request.request("GET", "/hold")
        replica.said("^held")
        async with asyncio.timeout(LIMIT), replica.websocket("/ws/chat/") as client:
            replica.signal(signal.SIGTERM)
            await client.wait_closed()
        asking.request("GET", "/readyz")
        answer = asking.getresponse()
        assert (answer.status, json.loads(answer.read())["status"]) == (503, "draining")
        replica.signal(signal.SIGUSR1)
        request.getresponse().read()
    assert replica.wait() == 0


async def test_open_websockets_are_counted(start):
    """HTTP requests are not; who has gone is not."""
    replica = start.replica()
    async with asyncio.timeout(LIMIT), contextlib.AsyncExitStack() as stack:
        assert readyz(replica)[1]["connections"] == 0
        clients = [await stack.enter_async_context(replica.websocket("/ws/chat/")) for _ in range(3)]
        assert readyz(replica)[1]["connections"] == 3
        await clients[0].close()
        assert readyz(replica)[1]["connections"] == 2


async def test_while_redis_is_away_sockets_stay_open(start, migrate, own_redis):
    """A publish fails with an error that says so, and goes through when Redis is back."""
    migrate()
    replica = start.replica(environment={"FANOUT_REDIS_URLS": own_redis.url})
    replica.said("readiness: redis: ok")
    url, options = "ws://localhost/ws/", {"subprotocols": ["fanout.v1"], "close_timeout": LIMIT}
    async with asyncio.timeout(LIMIT), unix_connect(str(replica.path), url, **options) as client:
        await client.send('{"type":"join","id":1,"group":"chat.lobby"}')
        assert json.loads(await client.recv())["type"] == "joined"
        own_redis.stop()
        await asyncio.to_thread(replica.said, "readiness: redis: (?!ok)")
        await client.send('{"type":"publish","id":2,"group":"chat.lobby","data":{"message":"lost"}}')
        refused = json.loads(await client.recv())
        assert (refused["type"], refused["id"], refused["code"]) == ("error", 2, "unavailable")
        own_redis.start()
        await asyncio.to_thread(replica.said, "readiness: redis: ok")
        await client.send('{"type":"publish","id":3,"group":"chat.lobby","data":{"message":"back"}}')
        frames = {}
        while not {"ack", "publication"} <= frames.keys():  # other types may come between: clients ignore them
            frame = json.loads(await client.recv())
            frames[frame["type"]] = frame
        assert frames["ack"]["id"] == 3
        assert frames["publication"]["data"]["message"] == "back"
