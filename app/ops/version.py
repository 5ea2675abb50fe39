"""What this replica is made of: its version, and those of what it stands on."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib import metadata

import fanout

PARTS = ("django", "channels", "channels-redis", "daphne", "twisted", "autobahn", "redis")
"""What a report of a fault has to name."""


@lru_cache(1)
def versions() -> dict[str, str]:
    """Return the versions by name; of a part that is not installed nothing is said."""
    found = {"version": fanout.__version__, "python": platform.python_version()}
    for part in PARTS:
        try:
            found[part] = metadata.version(part)
        except metadata.PackageNotFoundError:
            continue
    return found
