"""An ASGI application that leaves its connections to a handler; the tests run it in real server processes.

A message is a command: `echo`, `tasks` (how many there are), `raise`, `hold` (until SIGUSR1).
"""

import asyncio

from scripted import note, released


class Handler:
    def __init__(self, socket):
        self.socket = socket
        self.busy = False

    async def receive(self, event):
        assert not self.busy, "two messages of one client at a time"
        self.busy = True
        try:
            await self.obey(event["text"])
        finally:
            self.busy = False

    async def obey(self, text):
        match text.split():
            case ["echo", number]:
                for _ in range(int(number) % 3):
                    await asyncio.sleep(0)
                self.socket.send(number.encode())
            case ["tasks"]:
                self.socket.send(b"%d" % len(asyncio.all_tasks()))
            case ["raise"]:
                raise ValueError("the handler breaks")
            case ["hold"]:
                await released()
                note("goes on")

    async def disconnect(self):
        await asyncio.sleep(0)
        note(f"disconnect, busy {self.busy}")


async def application(scope, receive, send):
    if scope["type"] != "websocket":
        raise ValueError(f"no {scope['type']} here")
    await receive()
    socket = scope["extensions"]["fanout.socket"]["socket"]
    socket.accept()
    await socket.serve(Handler(socket))
