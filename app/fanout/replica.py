"""Who this process is in the fleet."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanout.asgi import Scope

EXTENSION = "fanout.replica"
"""The ASGI extension by which a server says its name: `scope["extensions"][EXTENSION]["name"]`."""

_fallback = f"{socket.gethostname()}-{os.getpid()}"


def replica_of(scope: Scope) -> str:
    """Return the replica's name; under a server that has none, the host's and the process id."""
    extension = scope.get("extensions", {}).get(EXTENSION)
    return str(extension["name"]) if extension else _fallback
