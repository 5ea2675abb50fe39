"""How many gaps the replicas have filled meanwhile: each counts its own and tells them in /readyz."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proof.errors import ProofError

if TYPE_CHECKING:
    from collections.abc import Collection

    from proof.target import Target

PATH = "/readyz"
AGAIN = 8
"""Answers without a new name after which nobody else is taken to be there."""
TRIES = 200
"""Questions at most: so unevenly clients are never spread for long."""


@dataclass(frozen=True)
class Counts:
    """What each replica has told."""

    gaps: dict[str, int] = field(default_factory=dict)
    uptimes: dict[str, float] = field(default_factory=dict)

    def since(self, before: Counts, seconds: float) -> int:
        """Return the gaps that were filled in the `seconds` since; a replica that began meanwhile counts whole."""
        return sum(
            gaps - (before.gaps.get(name, 0) if self.uptimes[name] >= seconds else 0)
            for name, gaps in self.gaps.items()
        )


def ask(target: Target, path: str, names: Collection[str] = ()) -> Counts | None:
    """Ask until each of `names` has answered, or (without) until nobody new does; None where that can't be had.

    A question goes to the replica with the fewest connections. So that it is not always the same, a WebSocket
    on `path` is held open at the one that has answered already.
    """
    counts, missing, held, stale = Counts(), set(names), list[socket.socket](), 0
    try:
        for _ in range(TRIES):
            name, gaps, uptime = _readyz(target)
            stale = stale + 1 if name in counts.gaps else 0
            counts.gaps[name], counts.uptimes[name] = gaps, uptime
            missing.discard(name)
            if not missing and (names or stale >= AGAIN + len(counts.gaps)):
                return counts
            if stale:
                held.append(target.dial(path).stream)
    except (ProofError, OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return None  # another server than ours, or one that tells its inside to nobody from here
    finally:
        for stream in held:
            stream.close()
    return None


def _readyz(target: Target) -> tuple[str, int, float]:
    """Return name, gaps and uptime of one replica."""
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = target.connect()
    with contextlib.closing(connection):
        connection.request("GET", PATH, headers={"Accept": "application/json"})
        body = json.loads(connection.getresponse().read())
    return str(body["replica"]), int(body["gaps"]), float(body["uptime"])
