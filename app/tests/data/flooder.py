"""Publishes as fast as a socket takes it, again and again, until standard input closes; says how each socket ended."""

import asyncio
import contextlib
import json
import sys

from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def flood(path, address, group):
    """Flood over one socket after the other."""
    frame = json.dumps({"type": "publish", "group": group, "data": {"message": "x" * 100}})
    headers = {"X-Real-IP": address}
    while True:
        try:
            async with unix_connect(
                path, "ws://localhost/ws/", subprotocols=["fanout.v1"], additional_headers=headers, compression=None
            ) as socket:
                reading = asyncio.create_task(read_all(socket))
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        await socket.send(frame)
                await reading
        except InvalidStatus:  # the one before is still counted
            await asyncio.sleep(0.05)
        else:
            print(socket.close_code, flush=True)


async def read_all(socket):
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()


async def main(path, address, group):
    floods = [asyncio.create_task(flood(path, address, group)) for _ in range(2)]
    await asyncio.to_thread(sys.stdin.read)
    for each in floods:
        each.cancel()


asyncio.run(main(*sys.argv[1:]))
