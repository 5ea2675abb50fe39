"""An ASGI application that leaves garbage, and tells of the collector.

HTTP: `/litter` makes LITTER pieces of cyclic garbage; `/sockets` tells how many connections have left something that
only the collector would find. WebSocket: `/return` accepts and is over, `/wait` waits for the end, `/attach` leaves a
handler behind.
"""

import gc
import json

LITTER = 300_000


class Piece:
    """Holds itself; counts those that are there."""

    there = 0

    def __init__(self):
        self.itself = self
        Piece.there += 1

    def __del__(self):
        Piece.there -= 1


class Handler:
    """Does nothing."""

    async def receive(self, event):
        pass

    async def disconnect(self):
        pass


async def application(scope, receive, send):
    match scope["type"], scope.get("path"):
        case "http", "/litter":
            for _ in range(LITTER):
                Piece()
            watched = len(gc.get_objects())
            told = {"there": Piece.there, "frozen": gc.get_freeze_count(), "watched": watched}
            await answer(send, {**told, "threshold": gc.get_threshold(), "enabled": gc.isenabled()})
        case "http", "/sockets":
            gc.disable()
            await answer(send, sum(type(thing).__name__ == "ReplicaWebSocket" for thing in gc.get_objects()))
        case "websocket", path:
            await receive()
            await send({"type": "websocket.accept"})
            if path == "/wait":
                await receive()
            elif path == "/attach":
                await scope["extensions"]["fanout.socket"]["socket"].serve(Handler())
        case kind, _:
            raise ValueError(f"no {kind} here")


async def answer(send, told):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
