"""Clients connect and leave in a loop, as those of a page do that takes each end for a fault of the network."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

RATE = 250
"""Handshakes a second: half a core of this class of machine for client, nginx and replica."""
CLIENT = """
import socket, sys, time
address, pause, request = (sys.argv[1], int(sys.argv[2])), 1 / int(sys.argv[3]), sys.argv[4].encode()
due = time.monotonic()
while True:
    try:
        with socket.create_connection(address, timeout=5) as link:
            link.sendall(request)
            link.recv(4096)
    except OSError:
        pass
    due = max(due + pause, time.monotonic() - 1)
    time.sleep(max(0, due - time.monotonic()))
"""
HANDSHAKE = (
    "GET /ws/chat/drill-storm/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@contextlib.contextmanager
def storm(stand: Stand) -> Iterator[None]:
    """Go on until the drill has ended: what ends the alert is that the replicas share it."""
    with stand.alongside([sys.executable, "-c", CLIENT, stand.host, str(stand.port), str(RATE), HANDSHAKE]):
        yield


DRILL = Drill(
    name="connect-storm",
    alert="FanoutHandshakeStorm",
    text=f"clients shake hands {RATE} times a second with one replica, and leave",
    breaks=storm,
    replicas=1,
    thresholds={"fanout_handshakes_total[1m])) > 500": "fanout_handshakes_total[1m])) > 100"},
)
