"""Synchronous code that calls a layer."""

import asyncio
import contextlib
import threading

from asgiref.sync import async_to_sync

from tests.busy import slowed

SOON = 2.5
"""Seconds: well under the limit of a wait, at which a loop wakes by itself."""


@contextlib.asynccontextmanager
async def in_a_thread(method, *arguments):
    """Call a method of the layer as synchronous code does. Nothing but the layer wakes this loop meanwhile."""
    asleep = threading.Event()

    def call() -> None:
        asleep.wait()
        async_to_sync(method)(*arguments)

    thread = threading.Thread(target=call)
    thread.start()
    loop = asyncio.get_running_loop()
    loop.call_soon(asleep.set)  # the last that it does before it waits
    began = loop.time()
    try:
        yield
        assert loop.time() - began < SOON * slowed(), "it took a timer to wake the consumer's loop"
    finally:
        await asyncio.to_thread(thread.join)
