"""A proxy between a browser and the fleet that does what some networks do to WebSockets and streams."""

import asyncio
import contextlib
import re

REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Passes on, one request a connection. `blocks` refuses upgrades, `holds` keeps an event stream until it ends."""

    def __init__(self, port):
        self._target = port
        self.blocks = self.holds = False
        self.paths = []
        self.upgrades = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._links = set()
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for link in self._links:
            link.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def cut(self):
        """Cut all connections."""
        for link in tuple(self._links):
            link.close()

    async def _serve(self, reader, writer):
        self._links.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._pass_on(reader, writer, await reader.readuntil(b"\r\n\r\n"))
        finally:
            self._links.discard(writer)
            writer.close()

    async def _pass_on(self, reader, writer, head):
        path = head.split(b" ")[1].decode().partition("?")[0]
        upgrade = b"upgrade: websocket" in head.lower()
        self.paths.append(path)
        if upgrade and self.blocks:
            writer.write(REFUSAL)
            return
        self.upgrades += upgrade
        if not upgrade:
            head = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"\r\nConnection: close", head)
        back, out = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            out.write(head)
            held = self.holds and path.startswith("/events")
            ways = [asyncio.create_task(pipe(reader, out)), asyncio.create_task(pipe(back, None if held else writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        finally:
            out.close()


async def pipe(reader, writer):
    """Pass bytes on until they end; without a writer keep them for ever."""
    while data := await reader.read(65536):
        if writer is not None:
            writer.write(data)
            await writer.drain()
