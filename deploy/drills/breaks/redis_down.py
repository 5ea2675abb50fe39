"""Redis has ended, and nobody starts it."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand


CLIENT = """
import json, sys, time, websockets, websockets.sync.client
frame = json.dumps({"type": "publish", "group": "chat.drill-down", "data": {"message": "still there?"}})
while True:
    try:
        with websockets.sync.client.connect(sys.argv[1], subprotocols=["fanout.v1"], proxy=None) as client:
            while True:
                client.send(frame)
                client.recv(timeout=5)
                time.sleep(0.1)
    except (OSError, websockets.WebSocketException):
        time.sleep(0.2)
"""
"""Of the protocol in which a publication is refused; a plain client is closed, and comes back to be closed again."""


@contextlib.contextmanager
def down(stand: Stand) -> Iterator[None]:
    """Have the supervisor end it: one that is only killed is back within a second. A client goes on publishing."""
    with stand.alongside([sys.executable, "-c", CLIENT, f"ws://{stand.address}/ws/"], "publisher"):
        stand.control.stop("redis")
        yield


DRILL = Drill(
    name="redis-down",
    alert="FanoutRedisUnavailable",
    also=("RedisDown", "FanoutPublicationErrors"),
    text="Redis has ended and is not started again",
    breaks=down,
    step="Start it",
)
