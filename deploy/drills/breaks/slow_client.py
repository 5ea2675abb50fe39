"""Clients that stop reading while a lot is said to them."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING

from websockets.sync.client import connect

from drills.drill import Drill
from drills.errors import DrillError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

CLIENTS = 6
"""More than three of one replica make the alert fire."""
WINDOW_BYTES = 4096
"""What the kernel keeps for each of them: what they do not read soon waits in the replica."""
MESSAGE_BYTES = 60_000
MESSAGES = 200
"""12 MB for each: its outbox' limit, and what nginx and the kernel take before that."""
GROUP = "chat.drill-slow"
HANDSHAKE = (
    "GET /ws/chat/drill-slow/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ANSWER_SECONDS = 10.0


@contextlib.contextmanager
def slow(stand: Stand) -> Iterator[None]:
    """Connect clients that read nothing but the answer to their handshake, and publish to them."""
    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(deaf(stand))
        publish(stand)
        yield


def deaf(stand: Stand) -> socket.socket:
    """Return a WebSocket of the group that is never read again. Raise DrillError."""
    link = socket.socket()
    link.settimeout(ANSWER_SECONDS)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
    link.connect((stand.host, stand.port))
    link.sendall(HANDSHAKE.encode())
    if not link.recv(WINDOW_BYTES).startswith(b"HTTP/1.1 101"):
        raise DrillError("A client that is to read slowly was not let in.")
    return link


def publish(stand: Stand) -> None:
    """Say a lot in the group, each message once the one before is taken."""
    with connect(f"ws://{stand.address}/ws/", subprotocols=["fanout.v1"], proxy=None) as speaker:  # type: ignore[list-item]
        for number in range(MESSAGES):
            data = {"message": "x" * MESSAGE_BYTES}
            speaker.send(json.dumps({"type": "publish", "group": GROUP, "data": data, "id": number}))
            answer = json.loads(speaker.recv(timeout=ANSWER_SECONDS))
            if answer["type"] != "ack":
                raise DrillError(f"A publication was refused: {answer}")


DRILL = Drill(
    name="slow-client",
    alert="FanoutSlowConsumers",
    text=f"{CLIENTS} clients of one replica stop reading",
    breaks=slow,
    heals_itself="A replica cuts such a client off by itself, and the others do not notice",
    replicas=1,
)
