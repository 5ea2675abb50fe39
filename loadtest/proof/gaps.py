"""How many publications the replicas had to fetch from streams, because a live one did not come: asked of /readyz."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proof.target import Target

ASKED = 24
"""Questions in a row that bring no new replica, until the next one is not asked: nginx takes turns where all have
equally many connections, which is why the run's own clients have to be gone."""
SECONDS = 2.0


def read(target: Target) -> dict[str, int]:
    """Return what each replica says that answers through nginx; empty where nobody may ask."""
    found: dict[str, int] = {}
    idle = 0
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        while idle < ASKED:
            name, filled = _ask(target)
            idle = idle + 1 if name in found else 0
            found[name] = filled
    return found


def _ask(target: Target) -> tuple[str, int]:
    secure = target.scheme == "wss"
    link = (
        http.client.HTTPSConnection(target.host, target.port, timeout=SECONDS, context=ssl.create_default_context())
        if secure
        else http.client.HTTPConnection(target.host, target.port, timeout=SECONDS)
    )
    with contextlib.closing(link):
        link.request("GET", "/readyz")
        body = json.loads(link.getresponse().read())
    return str(body["replica"]), int(body["filled"])


def between(before: Mapping[str, int], after: Mapping[str, int], replicas: Sequence[str]) -> int | None:
    """Return how many were filled meanwhile; None if not every replica was asked. One that restarted began at 0."""
    if not replicas or not all(name in before and name in after for name in replicas):
        return None
    return sum(after[name] - before[name] if after[name] >= before[name] else after[name] for name in replicas)
