"""Redis cuts replicas that lag by hardly anything: their messages are lost on the way, and fetched from the streams."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from redis import Redis

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

LIMIT = "pubsub 32kb 16kb 1"
"""Less than one of the messages below."""
MESSAGE_BYTES = 60_000
CLIENT = """
import json, sys, time, websockets, websockets.sync.client
while True:
    try:
        with websockets.sync.client.connect(sys.argv[1], proxy=None, open_timeout=5) as client:
            while True:
                client.send(json.dumps({"message": "x" * int(sys.argv[2])}))
                client.recv(timeout=5)
                time.sleep(0.5)
    except (OSError, websockets.WebSocketException):
        time.sleep(0.5)
"""


@contextlib.contextmanager
def cut(stand: Stand) -> Iterator[None]:
    """Lower the limit, and have a client say more than that at once, again and again."""
    with Redis(unix_socket_path=str(stand.run.redis / "redis.sock")) as redis:
        redis.config_set("client-output-buffer-limit", LIMIT)
    words = (f"ws://{stand.address}/ws/chat/drill-cut/", str(MESSAGE_BYTES))
    with stand.alongside([sys.executable, "-c", CLIENT, *words], "talker"):
        yield


DRILL = Drill(
    name="subscribers-cut",
    alert="FanoutGapsFound",
    also=("FanoutRedisReconnecting",),
    text=f"Redis cuts replicas that lag by more than {LIMIT.split()[1]}",
    breaks=cut,
    step="Let a subscriber lag more",
)
