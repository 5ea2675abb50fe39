"""An ASGI application that does what its client tells it; the tests run it in real server processes.

HTTP: `/` tells the scope, `/hold` answers when the process gets SIGUSR1, `/stream` answers in two parts, the second
when the process gets it; `/body` tells how many bytes of a body came. `/flood` sends FLOOD parts as fast as it may,
`/half` leaves its answer half said, `/mute` says none.
WebSocket: the query is a list of ASGI messages to send; then comes an echo until the client goes.
What it notes it says on standard error, where the test can wait for it.
`/watch` and `/early` say at their functions what they are for.
`/hub` joins the room of all `/hub` sockets over the extension `fanout.socket`, and takes commands.
"""

import ast
import asyncio
import json
import signal
import sys
import time
from urllib.parse import unquote

from server import sockets

FLOOD = 500
"""Parts of 64 KiB: more than any kernel buffers."""

room = {}
changed = asyncio.Condition()


def note(text):
    sys.stderr.write(f"noted: {text}\n")
    sys.stderr.flush()


async def released():
    """Wait for SIGUSR1."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, event.set)
    note("waits for SIGUSR1")
    await event.wait()


async def application(scope, receive, send):
    match scope["type"], scope.get("path"):
        case "http", path:
            await http(scope, receive, send, path)
        case "websocket", "/hub":
            await hub(scope, receive, send)
        case "websocket", "/watch":
            await watch(receive, send)
        case "websocket", "/early":
            await early(receive, send)
        case "websocket", path:
            await websocket(scope, receive, send, path)
        case kind, _:
            raise ValueError(f"no {kind} here")


async def http(scope, receive, send, path):
    if path == "/hold":
        await released()
    if path == "/mute":
        return
    if path == "/endless":
        await endless(receive, send)
        return
    told = {name: scope.get(name) for name in ("client", "scheme", "path", "http_version")}
    told["extensions"] = sorted(scope.get("extensions", {}))
    if path == "/body":
        told["body"] = await length(receive)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    if path == "/stream":
        await send({"type": "http.response.body", "body": b"first\n", "more_body": True})
        await released()
    if path == "/half":
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        return
    if path == "/flood":
        await flood(send)
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


async def flood(send):
    """Send all parts; say which one had to wait for the client."""
    for number in range(FLOOD):
        part = asyncio.create_task(send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True}))
        if not (await asyncio.wait({part}, timeout=1))[0]:
            note(f"part {number} waits")
        await part


async def endless(receive, send):
    """Answer in 128 MiB of parts; note when they are all sent, and when the client has gone."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(2048):
        await send({"type": "http.response.body", "body": numbered(number, 1 << 16), "more_body": True})
    note("streamed")
    await send({"type": "http.response.body", "body": b""})
    note(f"then {(await receive())['type']}")


async def length(receive):
    """Read the body; return its length."""
    total, more = 0, True
    while more:
        message = await receive()
        total += len(message.get("body", b""))
        more = message.get("more_body", False)
    return total


async def websocket(scope, receive, send, path):
    note(f"connect {(await receive())['type']} {sorted(scope.get('extensions', {}))}")
    for message in ast.literal_eval(unquote(scope["query_string"].decode())):
        await send(message)
    while (event := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", **{key: event.get(key) for key in ("text", "bytes")}})
    if path == "/stubborn":
        await released()
    note(f"reason {event.get('reason')!r}")
    note(f"disconnect {event['code']}")


async def hub(scope, receive, send):
    await receive()
    socket = scope["extensions"]["fanout.socket"]["socket"]
    socket.accept()
    await _enter(socket, scope["client"])
    try:
        while (event := await receive())["type"] == "websocket.receive":
            await command(socket, send, *ast.literal_eval(event["text"]))
    finally:
        note("left")
        del room[socket]
        async with changed:
            changed.notify_all()


async def _enter(socket, client):
    room[socket] = client
    async with changed:
        changed.notify_all()


async def command(socket, send, verb, *values):
    match verb:
        case "broadcast" | "together":
            broadcast(socket.broadcaster, verb, *values)
        case "mixed":
            count, size, limit = values
            usual, sockets.ANSWERS_LIMIT = sockets.ANSWERS_LIMIT, limit
            for number in range(0, count, 3):
                await send({"type": "websocket.send", "text": numbered(number, size).decode()})
                socket.broadcaster.broadcast({socket}, [numbered(number + 1, size)], limit)
                socket.send(numbered(number + 2, size))
            sockets.ANSWERS_LIMIT = usual
        case "stream" | "stream aside":  # aside: from a task of its own, as a synchronous consumer does
            streaming = stream(send, *values)
            await (streaming if verb == "stream" else asyncio.create_task(streaming))
        case "patience":  # seconds that the close handshake may take
            socket._protocol.closeHandshakeTimeout = values[0]
        case "farewell":
            (socket.farewell,) = values
            socket.send(b"done")
        case "until":  # so many are in the room
            async with changed:
                await changed.wait_for(lambda: len(room) == values[0])
            socket.send(b"done")
        case "close":
            socket.broadcaster.broadcast({socket}, [b"early"], 1 << 20)
            await send({"type": "websocket.close", "code": 1000})
            socket.send(b"late")
            socket.broadcaster.broadcast({socket}, [b"late"], 1 << 20)
            await send({"type": "websocket.send", "text": "late"})
            note("sent late")


async def watch(receive, send):
    """Note the most processor time, in milliseconds, that one turn of the loop takes until SIGUSR1."""
    await receive()
    await send({"type": "websocket.accept"})
    over, longest = asyncio.Event(), 0.0
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, over.set)
    note("watches")
    while not over.is_set():
        began = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - began)
    note(f"longest turn {1000 * longest:.0f} ms")


async def early(receive, send):
    """Accept when somebody is in the room; note how many messages wait behind the first one, and the last one."""
    await receive()
    note("asked")
    async with changed:
        await changed.wait_for(lambda: room)
    await send({"type": "websocket.accept"})
    event = await receive()
    note(f"waiting {len(receive.__self__._events or ())}")
    while event.get("text") != "last":
        event = await receive()
    note("had the last")


def broadcast(broadcaster, verb, count, size, limit):
    """To all in the room, one by one or in one write."""
    payloads = [numbered(number, size) for number in range(count)]
    for part in [payloads] if verb == "together" else [[payload] for payload in payloads]:
        broadcaster.broadcast(set(room), part, limit)


async def stream(send, count, size):
    for number in range(count):
        await send({"type": "websocket.send", "text": numbered(number, size).decode()})
    note("streamed")


def numbered(number, size):
    """A payload of `size` bytes that begins with its number."""
    return b"%d:" % number + b"x" * (size - len(b"%d:" % number))
