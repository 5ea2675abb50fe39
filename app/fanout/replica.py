"""Who this process is in the fleet."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanout.asgi import Scope

EXTENSION = "fanout.replica"
"""The ASGI extension by which a server says its name and that it drains: `name` and `draining` (an asyncio.Event) of
`scope["extensions"][EXTENSION]`. What operators ask beside that: `status()` (a dict), `await queued_bytes()` and
`neighbours()` (names of the replicas on this machine)."""

_fallback = f"{socket.gethostname()}-{os.getpid()}"


def replica_of(scope: Scope) -> str:
    """Return the replica's name; under a server that has none, the host's and the process id."""
    extension = scope.get("extensions", {}).get(EXTENSION)
    return str(extension["name"]) if extension else _fallback


def draining_of(scope: Scope) -> asyncio.Event:
    """Return what is set when the replica is about to exit; never, under a server that has no planned exit."""
    extension = scope.get("extensions", {}).get(EXTENSION)
    return extension["draining"] if extension else asyncio.Event()
