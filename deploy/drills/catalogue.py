"""All drills, in the order in which they are listed and carried out."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING

from fleet.errors import UsageError

if TYPE_CHECKING:
    from drills.drill import Drill

NAMES = (
    "replica-killed",
    "replica-hung",
    "replica-not-ready",
    "loop-late",
    "descriptors-low",
    "redis-down",
    "redis-slow",
    "redis-full",
    "redis-evicting",
    "subscribers-cut",
    "positions-lost",
    "data-lost",
    "nginx-down",
    "slow-client",
    "outbox-growing",
    "history-too-short",
    "connect-storm",
    "origin-refused",
    "replica-leaking-memory",
    "disk-full",
    "database-down",
    "worker-dead",
    "archive-incomplete",
    "exporter-dead",
    "certificate-expiring",
    "bad-deploy-rolled-back",
    "versions-differ",
    "redis-failover",
    "clock-jump",
)
"""Each has its module in `breaks/`, with `_` for `-`."""


def find(name: str) -> Drill:
    """Return a drill by its name. Raise UsageError that lists them, or names the one that was meant."""
    if name not in NAMES:
        alike = difflib.get_close_matches(name, NAMES, n=1)
        meant = f"did you mean {alike[0]}?" if alike else f"there are {', '.join(NAMES)}."
        raise UsageError(f"NAME={name} is no drill: {meant}")
    found: Drill = importlib.import_module(f"drills.breaks.{name.replace('-', '_')}").DRILL
    return found


def everything() -> list[Drill]:
    """Return all drills."""
    return [find(name) for name in NAMES]
