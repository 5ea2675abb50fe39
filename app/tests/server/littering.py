"""An ASGI application that makes LITTER pieces of cyclic garbage for each request, and tells of the collector."""

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


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    for _ in range(LITTER):
        Piece()
    told = {"there": Piece.there, "frozen": gc.get_freeze_count(), "watched": len(gc.get_objects())}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
