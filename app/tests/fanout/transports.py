"""The same client over each transport: what it is told of one durable group, and how it comes back."""

import asyncio
import contextlib
import json
import random

import httpx
from websockets.asyncio.client import connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

LIMIT = 60
"""Seconds that a test waits for what must come on a busy machine."""
AGAIN = 0.2
"""Seconds at most before it comes back: this test does not want to be kind to a server."""


class Told:
    """What a client was told, and where it is."""

    def __init__(self, base, group, *, path=None, since=None, last=0):
        self.base, self.group, self.path, self.last = base, group, path, last
        self.since = since
        self.frames, self.replicas, self.resets, self.connections = [], [], [], 0
        self.changed = asyncio.Event()
        self.joined = asyncio.Event()
        self.http = httpx.AsyncClient(
            base_url=base, timeout=LIMIT, transport=httpx.AsyncHTTPTransport(uds=path and str(path))
        )
        self.task = asyncio.create_task(self._come_back())

    async def __aenter__(self):
        async with asyncio.timeout(LIMIT):
            await self.joined.wait()
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self.http.aclose()

    @property
    def numbers(self):
        return [frame["data"]["message"] for frame in self.frames]

    @property
    def offsets(self):
        return [frame["offset"] for frame in self.frames]

    async def until(self, holds):
        async with asyncio.timeout(LIMIT):
            while not holds():
                self.changed.clear()
                waiting = asyncio.create_task(self.changed.wait())
                await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if self.task.done():
                    self.task.result()

    async def _come_back(self):
        while True:
            self.connections += 1
            with contextlib.suppress(OSError, ConnectionClosed, InvalidHandshake, httpx.TransportError, Refused):
                await self.follow()
            await asyncio.sleep(random.random() * AGAIN)  # noqa: S311 - no secret

    def place(self):
        """What a request says of where it wants to go on."""
        if self.since:
            return {"since": f"{self.since['epoch']}:{self.since['offset']}"}
        return {"last": self.last} if self.last else {}

    def take(self, frame):
        match frame["type"]:
            case "joined":
                self.replicas.append(frame["replica"])
                if frame.get("reset"):
                    self.resets.append(frame["reset"])
                if not frame["recovered"]:
                    self._at(frame)
                self.joined.set()
            case "publication":
                self.frames.append(frame)
                self._at(frame)
            case "reset":
                self.resets.append(frame["reason"])
                self._at(frame)
        self.changed.set()

    def _at(self, frame):
        self.since = {"epoch": frame["epoch"], "offset": frame["offset"]}


class Refused(Exception):
    """The server can't serve now."""


class WebSocket(Told):
    """`/ws/`, subprotocol fanout.v1."""

    async def follow(self):
        url = self.base.replace("http", "ws", 1) + "/ws/"
        opened = unix_connect(str(self.path), url, subprotocols=["fanout.v1"]) if self.path else None
        async with opened or connect(url, subprotocols=["fanout.v1"]) as socket:
            join = {"type": "join", "group": self.group, "last": self.last if not self.since else 0}
            await socket.send(json.dumps({**join, "since": self.since} if self.since else join))
            async for text in socket:
                self.take(json.loads(text))


class Events(Told):
    """`/events/<group>`, as a browser's EventSource does it: by the id of the last event alone."""

    last_event_id = ""

    async def follow(self):
        place = self.place() if self.connections == 1 else {"last": self.last}
        headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
        async with self.http.stream("GET", f"/events/{self.group}", params=place, headers=headers) as answer:
            if answer.status_code != 200:
                raise Refused(await answer.aread())
            async for event in events(answer):
                if "data" in event:
                    frame = json.loads(event["data"])
                    assert event.get("event", "publication") == frame["type"]
                    self.take(frame)
                self.last_event_id = event.get("id", self.last_event_id)


class Poll(Told):
    """`/poll/<group>`, behind epoch and offset."""

    async def follow(self):
        told = dict(self.since) if self.since else {"last": self.last}
        answer = await self.http.get(f"/poll/{self.group}", params={**told, "wait": 0})  # it says at once that it is in
        while answer.status_code == 200:
            said = answer.json()
            joined = {"type": "joined", "recovered": len(said["publications"]), **said}
            self.take(joined)
            for frame in said["publications"]:
                self.take(frame)
            assert (said["epoch"], said["offset"]) == (self.since["epoch"], self.since["offset"])
            answer = await self.http.get(f"/poll/{self.group}", params=self.since)
        raise Refused(answer.text)


TRANSPORTS = {"websocket": WebSocket, "events": Events, "poll": Poll}


async def events(answer):
    """The events of a stream, each a dictionary of its fields; comments are left out."""
    event = {}
    async for line in answer.aiter_lines():
        if not line:
            if event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


async def post(http, group, data, key=None):
    """Publish over HTTP; return the answer."""
    headers = {"Idempotency-Key": key} if key else {}
    return await http.post(f"/groups/{group}/publications", json=data, headers=headers)
