"""`/ops/targets`: the replicas of this machine for Prometheus' HTTP service discovery, reached through nginx.

A replica listens on a unix socket, which Prometheus can't scrape; nginx passes /ops/replicas/<name>/metrics on to the
socket of that name. Who asked is told the address under which it asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOT = re.compile(r"web-[0-9]{1,3}")
"""The names under which nginx knows replicas."""
ADDRESS = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


def targets(names: Iterable[str], address: str) -> list[dict[str, Any]] | None:
    """Return a target for each replica; None for an address that is none. `instance` would be the same for all."""
    if not ADDRESS.fullmatch(address):
        return None
    return [
        {
            "targets": [address],
            "labels": {"__metrics_path__": f"/ops/replicas/{name}/metrics", "instance": name, "replica": name},
        }
        for name in names
        if SLOT.fullmatch(name)
    ]
