"""Refusing a WebSocket handshake with a sentence."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fanout.counters import REFUSED, counters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanout.asgi import Receive, Scope, Send

EXTENSION = "websocket.http.response"


async def refuse(scope: Scope, receive: Receive, send: Send, sentence: str) -> None:
    """Answer 404 with the sentence; a server that can't (Daphne's own) answers 403."""
    await receive()  # websocket.connect
    counters.handshakes[REFUSED] += 1
    await turn_away(scope, send, HTTPStatus.NOT_FOUND, sentence)


async def turn_away(
    scope: Scope, send: Send, status: HTTPStatus, sentence: str, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Answer a handshake, of which `websocket.connect` has come, with a status and a sentence."""
    if EXTENSION not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "reason": sentence})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *more]
    await send({"type": f"{EXTENSION}.start", "status": status.value, "headers": headers})
    await send({"type": f"{EXTENSION}.body", "body": sentence.encode() + b"\n"})
