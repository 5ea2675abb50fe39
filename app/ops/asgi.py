"""What operators ask a replica, answered before Django: a probe knows no host name and wants no session.

`/healthz`, `/readyz`, `/version`, `/metrics` and `/ops/targets`. nginx lets nobody but this machine ask
(nginx/snippets/operations.conf).
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from fanout.hub import close_hub, filled, hub_here
from fanout.limits.bounds import limits
from fanout.replica import EXTENSION, replica_of
from fanout.status_socket import IN_SERVICE
from ops.fleet.speaker import speaker_of
from ops.logs import call_me
from ops.metrics import exposition, reading_of
from ops.readiness import Readiness
from ops.targets import targets
from ops.version import versions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fanout.asgi import Application, Receive, Scope, Send

    Answerer = Callable[[Scope, Send], Awaitable[None]]

logger = logging.getLogger(__name__)

HUNG = 10.0
"""Seconds that the event loop may be late before the process counts as dead: no load explains that, a restart helps."""

_started = time.monotonic()
_readiness: Readiness | None = None


def readiness_of(scope: Scope) -> Readiness:
    """Return this process's Readiness, probing from the first call on."""
    global _readiness  # noqa: PLW0603 - one a process
    if _readiness is None:
        _readiness = Readiness(replica_of(scope))
    _readiness.start()
    return _readiness


class OpsEndpoints:
    """ASGI middleware for HTTP: answers operators, passes on everything else."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = ANSWERS.get(scope["path"])
        if answer is None:
            await self._application(scope, receive, send)
        else:
            await answer(scope, send)


async def _healthz(scope: Scope, send: Send) -> None:
    """Alive: whatever Redis and the database do, and also while draining."""
    late = readiness_of(scope).lag.now
    body = {"status": "ok", "replica": replica_of(scope)}
    if late > HUNG:
        body["status"] = f"the event loop is {late:.1f} s late"
    await _answer_json(send, 200 if late <= HUNG else 503, body)


async def _readyz(scope: Scope, send: Send) -> None:
    body = readiness(scope)
    await _answer_json(send, 200 if body["status"] in IN_SERVICE else 503, body)


async def _version(scope: Scope, send: Send) -> None:
    await _answer_json(send, 200, {"replica": replica_of(scope), **versions()})


async def _metrics(scope: Scope, send: Send) -> None:
    reading = await reading_of(scope, readiness_of(scope))
    await _answer(send, 200, *exposition(reading, _header(scope, b"accept")))


async def _targets(scope: Scope, send: Send) -> None:
    """Under a server that knows no neighbours there are none."""
    extension = scope.get("extensions", {}).get(EXTENSION, {})
    names = extension["neighbours"]() if "neighbours" in extension else []
    found = targets(names, _header(scope, b"host"))
    if found is None:
        await _answer_json(send, 400, {"message": "Send a Host header: it is the address that targets are given."})
    else:
        await _answer_json(send, 200, found)


ANSWERS: dict[str, Answerer] = {
    "/healthz": _healthz,
    "/readyz": _readyz,
    "/version": _version,
    "/metrics": _metrics,
    "/ops/targets": _targets,
}


def readiness(scope: Scope) -> dict[str, Any]:
    """Return the body of /readyz."""
    extension = scope.get("extensions", {}).get(EXTENSION)
    own = extension["status"]() if extension else {}
    probe = readiness_of(scope)
    return {
        "status": probe.state(draining=own.get("draining", False)),
        "replica": replica_of(scope),
        "connections": own.get("connections"),
        # How many addresses these have, as nginx says: one alone behind a proxy that it was not told of.
        "addresses": len(hub.admission.addresses) if (hub := hub_here()) else 0,
        # Publications that were missed live and delivered from the stream: the proof tells how many.
        "filled": filled(),
        "uptime": round(own.get("uptime", time.monotonic() - _started), 1),
        "checks": probe.checks,
    }


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Probe from the start, so that a replica is ready before anyone asks; at the end tell the fleet who has left."""
    await receive()
    call_me(replica_of(scope))
    probe = readiness_of(scope)
    speaker = speaker_of(scope, probe)
    if limits().lifted:
        logger.warning("FANOUT_LIMITS=off: one client may take everything; unset it when the load is over")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await speaker.stop()
    await probe.stop()
    await close_hub()
    await send({"type": "lifespan.shutdown.complete"})


def _header(scope: Scope, name: bytes) -> str:
    return str(dict(scope.get("headers", ())).get(name, b"").decode("latin1"))


async def _answer_json(send: Send, status: int, body: Any) -> None:
    await _answer(send, status, "application/json", json.dumps(body).encode())


async def _answer(send: Send, status: int, media_type: str, content: bytes) -> None:
    headers = [
        (b"content-type", media_type.encode("latin1")),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
