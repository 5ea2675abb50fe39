"""Refusing a WebSocket handshake with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanout.asgi import Receive, Scope, Send

EXTENSION = "websocket.http.response"


async def refuse(scope: Scope, receive: Receive, send: Send, sentence: str) -> None:
    """Answer 404 with the sentence; a server that can't (Daphne's own) answers 403."""
    await receive()  # websocket.connect
    if EXTENSION not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "reason": sentence})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": f"{EXTENSION}.start", "status": 404, "headers": headers})
    await send({"type": f"{EXTENSION}.body", "body": sentence.encode() + b"\n"})
