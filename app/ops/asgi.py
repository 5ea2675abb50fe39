"""`/healthz` and `/readyz`, answered before Django: a probe knows no host name and wants no session."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from fanout.hub import close_hub, filled
from fanout.replica import EXTENSION, replica_of
from ops.readiness import Readiness

if TYPE_CHECKING:
    from fanout.asgi import Application, Receive, Scope, Send

IN_SERVICE = ("ready", "degraded")

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
    """ASGI middleware for HTTP: answers the probes, passes on everything else."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        match scope["path"]:
            case "/healthz":
                await _answer(send, 200, {"status": "ok", "replica": replica_of(scope)})
            case "/readyz":
                body = readiness(scope)
                await _answer(send, 200 if body["status"] in IN_SERVICE else 503, body)
            case _:
                await self._application(scope, receive, send)


def readiness(scope: Scope) -> dict[str, Any]:
    """Return the body of /readyz."""
    extension = scope.get("extensions", {}).get(EXTENSION)
    own = extension["status"]() if extension else {}
    probe = readiness_of(scope)
    return {
        "status": probe.state(draining=own.get("draining", False)),
        "replica": replica_of(scope),
        "connections": own.get("connections"),
        # Publications that were missed live and delivered from the stream: the proof tells how many.
        "filled": filled(),
        "uptime": round(own.get("uptime", time.monotonic() - _started), 1),
        "checks": probe.checks,
    }


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Probe from the start, so that a replica is ready before anyone asks; at the end tell the fleet who has left."""
    await receive()
    probe = readiness_of(scope)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await probe.stop()
    await close_hub()
    await send({"type": "lifespan.shutdown.complete"})


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
