"""An application that holds up the exit: it survives a cancellation, and at some paths blocks a thread for good."""

import asyncio
import threading

import scripted
from asgiref.sync import sync_to_async


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await scripted.application(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == "/thread":
        await sync_to_async(threading.Event().wait)()
    if scope["path"] == "/executor":
        await asyncio.to_thread(threading.Event().wait)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            scripted.note("swallows")
