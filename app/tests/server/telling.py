"""An ASGI application that tells its client everything it sees; run by stock Daphne and by ours, to be compared.

A WebSocket gets its scope, then each of its events. The subprotocol that is accepted is the last one offered. Paths:
`/refuse` is closed before the accept, `/never` is not answered, `/crash` raises, `/nodelay` (ours alone) tells whether
small writes leave at once. HTTP gets its scope, on `/big` PARTS parts of PART bytes.
"""

import asyncio

UNLIKE = ("extensions", "asgi", "state")
"""What the two servers may say differently."""


PARTS, PART = 300, 70_000


def told(scope):
    return repr(sorted((name, value) for name, value in scope.items() if name not in UNLIKE))


async def application(scope, receive, send):
    match scope["type"]:
        case "websocket":
            await websocket(scope, receive, send)
        case "http":
            if scope["path"] == "/big":
                await big(send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-told", b"1")]})
            await send({"type": "http.response.body", "body": told(scope).encode()})
        case kind:
            raise ValueError(f"no {kind} here")


async def big(send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(PARTS):
        part = number.to_bytes(2, "big") * (PART // 2)
        await send({"type": "http.response.body", "body": part, "more_body": number < PARTS - 1})


async def websocket(scope, receive, send):
    seen = [await receive()]
    match scope["path"]:
        case "/refuse":
            await send({"type": "websocket.close"})
            return
        case "/never":
            await asyncio.Event().wait()
        case "/crash":
            raise ValueError("it crashes")
    if scope["path"].startswith("/late"):
        await asyncio.sleep(0.3)
    await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[-1]})
    await send({"type": "websocket.send", "text": told(scope)})
    if scope["path"] == "/nodelay":
        transport = scope["extensions"]["fanout.socket"]["socket"]._protocol.transport
        await send({"type": "websocket.send", "text": str(transport.getTcpNoDelay())})
    while seen[-1]["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": repr(seen[-1])})
        seen.append(await receive())
