"""What a scripted application is told to send, and clients of it, one of which reads when it is told to."""

import asyncio
import contextlib
from collections import deque

from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from tests.replicas import LIMIT

ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close"}
KIB, MIB = 1 << 10, 1 << 20


def text(content):
    return {"type": "websocket.send", "text": content}


def binary(content):
    return {"type": "websocket.send", "bytes": content}


def number_of(payload):
    """Return the number that the hub's payload begins with."""
    return int(bytes(payload[:12]).partition(b":")[0])


async def closed(client):
    """Wait for the close; return code and reason."""
    async with asyncio.timeout(LIMIT):
        await client.wait_closed()
    return client.close_code, client.close_reason


async def said(client, count):
    async with asyncio.timeout(LIMIT):
        return [await client.recv() for _ in range(count)]


async def do(client, *command):
    """Have the hub carry out a command."""
    await client.send(repr(command))


class SlowReader:
    """A client that reads only when it is told to: a blocking socket and a parser."""

    def __init__(self, connection, headers=()):
        self.socket = connection
        self.protocol = ClientProtocol(parse_uri("ws://localhost/hub"), max_size=None)
        request = self.protocol.connect()
        request.headers.update(headers)
        self.protocol.send_request(request)
        self.flush()
        while self.protocol.state is not self.protocol.state.OPEN:
            self.protocol.receive_data(self.socket.recv(1))
        self.protocol.events_received()
        self.read = deque()

    def flush(self):
        for data in self.protocol.data_to_send():
            self.socket.sendall(data)

    def do(self, *command):
        self.protocol.send_text(repr(command).encode())
        self.flush()

    def frames(self, chunk=64 * KIB):
        """Yield the frames to the end of the connection; what is not asked for is not read."""
        while True:
            while self.read:
                yield self.read.popleft()
            try:
                data = self.socket.recv(chunk)
            except ConnectionResetError:
                return
            if not data:
                return
            self.last_bytes = data
            self.protocol.receive_data(data)
            self.read.extend(self.protocol.events_received())
            with contextlib.suppress(OSError):
                self.flush()  # the answer to a close frame
