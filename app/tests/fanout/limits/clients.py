"""Clients from an address, over a WebSocket or plain HTTP, within the process."""

import json

from channels.testing import ApplicationCommunicator

from config.asgi import application
from fanout.history import History
from fanout.policy import Policy
from tests.communicators import HttpCommunicator

LIMIT = 10
HOST = (b"host", b"localhost")
STRANGER, OTHER = "203.0.113.7", "203.0.113.8"


class Open(Policy):
    """For everybody, and kept."""

    kind = "open"
    history = History(size=10, age=60)


class Socket(ApplicationCommunicator):
    """A client's WebSocket, from an address or, as over a unix socket, from none."""

    def __init__(self, address, path, subprotocols, headers=(HOST,)):
        super().__init__(application, {
            "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": list(headers), "subprotocols": subprotocols, "client": address and [address, 1],
            "extensions": {"websocket.http.response": {}},
        })  # fmt: skip

    async def shake(self):
        """The answer to the handshake."""
        await self.send_input({"type": "websocket.connect"})
        return await self.receive_output(LIMIT)

    async def ask(self, **frame):
        """Send a frame and return the answer."""
        await self.send_input({"type": "websocket.receive", "text": json.dumps(frame)})
        answer = await self.receive_output(LIMIT)
        return json.loads(answer["text"]) if answer["type"] == "websocket.send" else answer


async def leave(socket):
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(LIMIT)


async def refused(socket):
    """Status, sentence and headers of a handshake that was refused."""
    assert socket.answer["type"] == "websocket.http.response.start", socket.answer
    body = await socket.receive_output(LIMIT)
    return socket.answer["status"], body["body"].decode(), dict(socket.answer["headers"])


async def request(method, path, body=b"", address=STRANGER, headers=()):
    """Ask over plain HTTP; return what is under way."""
    given = [HOST, (b"content-type", b"application/json"), *headers]
    communicator = HttpCommunicator(application, method, path, body=body, headers=given)
    communicator.scope["client"] = [address, 1]
    await communicator.send_input({"type": "http.request", "body": body})
    return communicator


async def answered(communicator):
    """Status, headers and body of what was asked."""
    start = await communicator.receive_output(LIMIT)
    body = (await communicator.receive_output(LIMIT))["body"]
    return start["status"], dict(start["headers"]), body
