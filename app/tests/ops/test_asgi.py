"""The probes' endpoints."""

import json

import pytest

import fanout
import ops.asgi
from fanout.histogram import Histogram
from ops.asgi import OpsEndpoints
from ops.readiness import OK


class Elsewhere(Exception):
    """The request went on to Django."""


async def django(scope, receive, send):
    raise Elsewhere(scope["path"])


class Lag:
    """A loop that is as late as it is told."""

    now = 0.0
    lateness = Histogram((1.0,))


class Probe:
    """A Readiness that says what it is told."""

    name = None

    def __init__(self, state, checks):
        self._state, self.checks, self.lag = state, checks, Lag()

    def start(self):
        pass

    def state(self, *, draining):
        return "draining" if draining else self._state


async def answer(path, *, headers=(), **extensions):
    """Return status, headers and JSON of one request."""
    status, told, body = await whole(path, headers, extensions)
    return status, told, json.loads(body)


async def whole(path, headers, extensions):
    """Return status, headers and body of one request."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": list(headers), "extensions": extensions}
    await OpsEndpoints(django)(scope, None, send)
    start, body = sent
    assert int(dict(start["headers"])[b"content-length"]) == len(body["body"])
    return start["status"], dict(start["headers"]), body["body"]


@pytest.fixture
def probe(monkeypatch):
    """Put a probe in the place of the process's own."""

    def placed(state, **checks):
        made = Probe(state, {"redis": OK, "database": OK, **checks})
        monkeypatch.setattr(ops.asgi, "_readiness", made)
        return made

    return placed


def replica(**status):
    return {"fanout.replica": {"name": "web-7", "status": lambda: status}}


async def test_healthz_says_that_the_process_lives(probe):
    """200 and the replica's name, whatever Redis and the database do."""
    probe("draining", redis="gone")
    status, headers, body = await answer("/healthz", **replica())
    assert (status, body) == (200, {"status": "ok", "replica": "web-7"})
    assert headers[b"cache-control"] == b"no-store"


async def test_healthz_is_red_when_the_loop_hardly_turns(probe):
    """Nothing but a restart helps then; how late it is stands in the answer."""
    made = probe("stuck")
    made.lag.now = 9.9
    assert (await answer("/healthz", **replica()))[0] == 200
    made.lag.now = 12.34
    status, _, body = await answer("/healthz", **replica())
    assert (status, body["status"]) == (503, "the event loop is 12.3 s late")


async def test_version_says_what_it_is_made_of():
    """Ours, and what a report of a fault has to name."""
    status, _, body = await answer("/version", **replica())
    assert (status, body["replica"], body["version"]) == (200, "web-7", fanout.__version__)
    assert {"python", "django", "daphne", "twisted", "redis"} <= set(body)


async def test_targets_are_the_neighbours_of_a_replica(probe):
    """At the address that was asked; without a Host header there is none, and without a fleet there are none."""
    probe("ready")
    extension = {**replica()["fanout.replica"], "neighbours": lambda: ["web-1", "web-7"]}
    host = [(b"host", b"127.0.0.1:8080")]
    status, _, body = await answer("/ops/targets", headers=host, **{"fanout.replica": extension})
    assert (status, [each["labels"]["replica"] for each in body]) == (200, ["web-1", "web-7"])
    assert body[0]["targets"] == ["127.0.0.1:8080"]
    assert (await answer("/ops/targets", **{"fanout.replica": extension}))[0] == 400
    assert (await answer("/ops/targets", headers=host))[2] == []


@pytest.mark.parametrize(
    ("state", "status"), [("ready", 200), ("degraded", 200), ("starting", 503), ("stuck", 503), ("draining", 503)]
)
async def test_readyz_says_whether_it_is_in_service(probe, state, status):
    """A degraded replica stays in service: taking all of them out would help nobody."""
    probe(state, redis="gone")
    answered, headers, body = await answer("/readyz", **replica(connections=12, uptime=33.14, draining=False))
    assert answered == status
    assert headers[b"content-type"] == b"application/json"
    assert body == {
        "status": state,
        "replica": "web-7",
        "connections": 12,
        "addresses": 0,
        "filled": 0,
        "uptime": 33.1,
        "checks": {"redis": "gone", "database": OK},
    }


async def test_a_draining_replica_says_so_however_ready_it_is(probe):
    """The server's word counts."""
    probe("ready")
    status, _, body = await answer("/readyz", **replica(connections=0, uptime=1.0, draining=True))
    assert (status, body["status"]) == (503, "draining")


async def test_on_another_server_it_knows_less(probe):
    """Nobody counts connections there; the name is made of host and process id."""
    probe("ready")
    status, _, body = await answer("/readyz")
    assert (status, body["connections"]) == (200, None)
    assert body["uptime"] >= 0
    assert body["replica"]


@pytest.mark.parametrize("path", ["/", "/healthz/", "/readyz/x", "/HEALTHZ", "/static/healthz", "/ops/", "/metrics/"])
async def test_everything_else_goes_on(path):
    """Only the exact paths are taken."""
    with pytest.raises(Elsewhere):
        await answer(path)


async def test_the_lifespan_probes_from_the_start(probe, monkeypatch):
    """A replica is ready before anyone asks, and stops to probe at its end."""
    done = []
    made = probe("starting")
    monkeypatch.setattr(made, "start", lambda: done.append("start"))

    async def stop():
        done.append("stop")

    async def receive():
        done.append("receive")

    async def send(message):
        done.append(message["type"])

    monkeypatch.setattr(made, "stop", stop, raising=False)
    await ops.asgi.lifespan({"type": "lifespan"}, receive, send)
    assert done == ["receive", "start", "lifespan.startup.complete", "receive", "stop", "lifespan.shutdown.complete"]
