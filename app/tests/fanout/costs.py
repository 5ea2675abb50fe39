"""What limits cost: µs of CPU of a handshake and of a publication in this process, without a server and its sockets.

In `app/`, for an unlimited, an exempt and a counted address, over the layer in memory or Redis (FANOUT_REDIS_URLS):

    python -m tests.fanout.costs 127.0.0.1
    python -m tests.fanout.costs ::1
    python -m tests.fanout.costs 203.0.113.7

To compare with the code before, check that out beside it and run it there. Decision 0018 has the figures.
"""

import asyncio
import os
import sys
import time
from itertools import count

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django
from django.conf import settings

django.setup()

from fanout.consumer import FanoutConsumer  # noqa: E402
from fanout.hub import close_hub  # noqa: E402
from fanout.sockets import EXTENSION  # noqa: E402

TIMES, ROUNDS, AT_ONCE = 3000, 7, 20
ADDRESSES = 200
"""From which they come."""
MANY = 10**7
PUBLISH = {"type": "websocket.receive", "text": '{"type":"publish","group":"nobodys.x","data":{"id":"a"}}'}


class Broadcaster:
    """Writes nothing."""

    def broadcast(self, sockets, payloads, limit):
        pass


class Socket:
    """Writes nothing either, and keeps its handler."""

    broadcaster = Broadcaster()
    farewell = None
    queued_bytes = 0

    def accept(self, subprotocol=None):
        pass

    def send(self, *payloads):
        pass

    def close(self, code, reason):
        raise AssertionError(reason)

    async def serve(self, handler):
        self.handler = handler


async def connected():
    return {"type": "websocket.connect"}


async def refused(event):
    raise AssertionError(event)


def scope_of(address, number):
    socket = Socket()
    client = address if address.startswith("127.") else f"{address.rpartition('.')[0]}.{number % ADDRESSES}"
    return socket, {
        "type": "websocket", "path": "/ws/", "raw_path": b"/ws/", "root_path": "", "headers": [], "query_string": b"",
        "client": [client, 0], "server": None, "subprotocols": ["fanout.v1"], "asgi": {}, "url_route": {},
        "extensions": {EXTENSION: {"socket": socket}},
    }  # fmt: skip


async def measure(address):
    """Return µs of a handshake, and of a publication that its kind refuses: all but Redis' part of one."""
    application, numbers, handshakes, publications = FanoutConsumer.as_asgi(), count(), [], []
    for _ in range(ROUNDS):
        made = [scope_of(address, next(numbers)) for _ in range(TIMES)]
        began = time.process_time()
        for at in range(0, TIMES, AT_ONCE):
            await asyncio.gather(*(application(scope, connected, refused) for _, scope in made[at : at + AT_ONCE]))
        handshakes.append(time.process_time() - began)
        handler, began = made[0][0].handler, time.process_time()
        for _ in range(TIMES):
            await handler.receive(PUBLISH)
        publications.append(time.process_time() - began)
        for socket, _ in made:
            await socket.handler.disconnect()
    await close_hub()
    return [min(each) / TIMES * 1e6 for each in (handshakes, publications)]


if __name__ == "__main__":
    rates = [f"{what}_per_{whose}" for what in ("publishes", "bytes") for whose in ("connection", "user", "address")]
    many = ("connections_per_address", "handshakes_per_second", "new_groups_per_minute", *rates)
    settings.FANOUT_LIMITS = dict.fromkeys(many, MANY) | {"unlimited": ("127.0.0.0/8",)}
    handshake, publication = asyncio.run(measure(sys.argv[1]))
    sys.stdout.write(f"{sys.argv[1]}: handshake {handshake:.1f} µs, publication {publication:.1f} µs\n")
