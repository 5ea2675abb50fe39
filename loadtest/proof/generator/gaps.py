"""How many publications the replicas had to fetch from streams, because a live one did not come: asked of /readyz."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from typing import TYPE_CHECKING

from proof import trust

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from proof.target import Target

ASKED = 24
"""Questions in a row that bring no new replica, until the next one is not asked: nginx takes turns where all have
equally many connections, which is why the run's own clients have to be gone."""
SECONDS = 2.0
"""For one answer."""
GLANCE = 0.02
PATIENCE = 5.0
"""Seconds for thousands of connections to be gone."""


def read(target: Target, wanted: Collection[str] = ()) -> dict[str, int]:
    """Return what each replica says that answers through nginx; empty where nobody may ask.

    For those that are `wanted` it asks a while longer: nginx takes turns again when the clients are gone.
    """
    found: dict[str, int] = {}
    idle, end = 0, time.monotonic() + PATIENCE
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        while idle < ASKED or (time.monotonic() < end and any(name not in found for name in wanted)):
            name, filled = _ask(target)
            idle = idle + 1 if name in found else 0
            found[name] = filled
            if idle >= ASKED:
                time.sleep(GLANCE)
    return found


def _ask(target: Target) -> tuple[str, int]:
    secure = target.scheme == "wss"
    link = (
        http.client.HTTPSConnection(target.host, target.port, timeout=SECONDS, context=trust.context(target.trust))
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
