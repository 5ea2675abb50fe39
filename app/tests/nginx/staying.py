"""An ASGI application whose clients stay: WebSockets, and a stream of events at every path."""

import asyncio


async def application(scope, receive, send):
    match scope["type"]:
        case "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
        case "http":
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"data: one\n\n", "more_body": True})
            await asyncio.Event().wait()
        case kind:
            raise ValueError(f"no {kind} here")
