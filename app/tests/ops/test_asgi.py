"""The probes' endpoints."""

import json

import pytest

import ops.asgi
from ops.asgi import OpsEndpoints
from ops.readiness import OK


class Elsewhere(Exception):
    """The request went on to Django."""


async def django(scope, receive, send):
    raise Elsewhere(scope["path"])


class Probe:
    """A Readiness that says what it is told."""

    name = None

    def __init__(self, state, checks):
        self._state, self.checks = state, checks

    def start(self):
        pass

    def state(self, *, draining):
        return "draining" if draining else self._state


async def answer(path, **extensions):
    """Return status, headers and JSON of one request."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "extensions": extensions}
    await OpsEndpoints(django)(scope, None, send)
    start, body = sent
    assert int(dict(start["headers"])[b"content-length"]) == len(body["body"])
    return start["status"], dict(start["headers"]), json.loads(body["body"])


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


async def test_healthz_says_that_the_process_lives():
    """200 and the replica's name, whatever Redis and the database do."""
    status, headers, body = await answer("/healthz", **replica())
    assert (status, body) == (200, {"status": "ok", "replica": "web-7"})
    assert headers[b"cache-control"] == b"no-store"


@pytest.mark.parametrize(("state", "status"), [("ready", 200), ("degraded", 200), ("starting", 503), ("draining", 503)])
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


@pytest.mark.parametrize("path", ["/", "/healthz/", "/readyz/x", "/HEALTHZ", "/static/healthz"])
async def test_everything_else_goes_on(path):
    """Only the two exact paths are taken."""
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
