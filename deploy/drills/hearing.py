"""Whether every replica hears every other: one client on each, through nginx, and a message from each."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from typing import TYPE_CHECKING

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from drills.errors import DrillError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.sync.client import ClientConnection

ROUND_SECONDS = 5.0
"""For one round of messages, and for all to be connected: most take milliseconds."""
TRIES_A_REPLICA = 8
"""Connections, until nginx has led one to each replica."""


def check(address: str, names: Sequence[str]) -> None:
    """Return when each named replica has heard all of them. Raise DrillError that says which has not."""
    url = f"ws://{address}/ws/chat/drill-{secrets.token_hex(4)}/"
    with contextlib.ExitStack() as stack:
        try:
            clients = _one_on_each(url, names, stack)
            for name, client in clients.items():
                client.send(json.dumps({"message": name}))
            for name, client in clients.items():
                if missed := _missed(client, set(names)):
                    raise DrillError(f"{name} does not hear {', '.join(sorted(missed))}.")
        except (OSError, WebSocketException) as error:
            raise DrillError(f"A client cannot speak through nginx: {error or type(error).__name__}.") from None


def _one_on_each(url: str, names: Sequence[str], stack: contextlib.ExitStack) -> dict[str, ClientConnection]:
    found: dict[str, ClientConnection] = {}
    deadline = time.monotonic() + ROUND_SECONDS
    for _ in range(TRIES_A_REPLICA * len(names)):
        client = stack.enter_context(
            connect(url, open_timeout=ROUND_SECONDS, close_timeout=1, compression=None, proxy=None)
        )
        found.setdefault(client.response.headers["X-Replica"] if client.response else "", client)
        if set(names) <= set(found):
            return {name: found[name] for name in names}
        if time.monotonic() > deadline:  # each handshake waits for Redis, say
            break
    absent = sorted(set(names) - set(found))
    raise DrillError(f"nginx leads nobody to {', '.join(absent)}.")


def _missed(client: ClientConnection, wanted: set[str]) -> set[str]:
    """Read until all has come or the time is up; return what has not."""
    deadline = time.monotonic() + ROUND_SECONDS
    with contextlib.suppress(TimeoutError):
        while wanted:
            wanted.discard(json.loads(client.recv(timeout=max(0.0, deadline - time.monotonic()))).get("message"))
    return wanted
