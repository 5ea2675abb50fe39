"""Clients of durable groups without sockets: what a hub tells them, kept for a verdict."""

import asyncio
import contextlib
import itertools
import json
import uuid

from fanout.errors import Unavailable
from fanout.history import History
from fanout.hub import Hub
from fanout.policy import Policy
from fanout.positions import Position

LIMIT = 15
"""Seconds that a test waits for what must come; usually it takes milliseconds."""
MARK = 3
"""Seconds after which a mark that nobody heard was swallowed by a reset: longer than a gap may stay unseen."""
OUTAGE = 60
"""Seconds in which a broken Redis is back, also by a failover on a busy machine."""
KEPT = 50
HOP = 25
"""Frames after which a hopper moves on."""


class Kept(Policy):
    """Keeps 50 publications."""

    kind = "kept"
    history = History(size=KEPT, age=3600)


class Pouring(Policy):
    """Keeps all that a test can publish."""

    kind = "pouring"
    history = History(size=100_000, age=3600, bytes=0)


class Broadcaster:
    """Writes to clients of this test."""

    def broadcast(self, sockets, payloads, limit):
        for socket in sockets:
            socket.frames += payloads
            socket.arrived.set()


class Client:
    """A socket that keeps publications and resets, and goes on behind what it has."""

    broadcaster = Broadcaster()
    queued_bytes = 0

    def __init__(self):
        self.frames = []
        self.arrived = asyncio.Event()
        self.entry = None

    async def join(self, hub, group, **options):
        self.entry = await hub.join(group, self, ENCODER, **options)
        if self.entry.reset:
            self.frames.append(ENCODER.reset(group, self.entry.position, self.entry.reset))
        self.frames += map(ENCODER.publication, self.entry.recovered)
        return self.entry

    @property
    def reason(self):
        """Of the last reset of any client."""
        return ENCODER.reason

    @property
    def told(self):
        """The data of the publications and the resets between them."""
        return [data for data, *_ in self.frames]

    @property
    def numbers(self):
        """The data of the publications, in the order in which they came."""
        return [data for data, *_ in self.frames if data != "reset"]

    @property
    def position(self):
        """Behind what it has got."""
        for _, epoch, offset in reversed(self.frames):
            return Position(epoch, offset)
        return self.entry.position

    async def assert_honest(self, hub, group):
        """Compare with the stream: lost 0, doubled 0, disordered 0, or a reset where its position was truly gone."""
        top, survivors = await hub._layer.top(group), await kept(hub, group)
        gone = [frame for frame in self.frames if top.translate(Position(*frame[1:])) is None]
        assert ("reset" in self.told) == bool(gone), f"a reset without a loss, or a loss without a reset: {gone}"
        last = max((number for number, data in enumerate(self.told) if data == "reset"), default=-1)
        before = [frame[0] for frame in self.frames[: last + 1] if frame not in gone and frame[0] != "reset"]
        assert before == survivors[: len(before)], "lost, doubled or disordered before the reset"
        behind = self.told[last + 1 :]
        assert behind == survivors[-len(behind) :], "lost, doubled or disordered"
        assert gone or behind == survivors, "lost at the beginning"

    async def until(self, count):
        async with asyncio.timeout(LIMIT):
            while len(self.numbers) < count:
                self.arrived.clear()
                await self.arrived.wait()

    async def heard(self, wanted, limit=LIMIT):
        async with asyncio.timeout(limit):
            while not any(data == wanted for data, *_ in self.frames):
                self.arrived.clear()
                await self.arrived.wait()

    async def told_reset(self):
        await self.heard("reset")


class Hopper(Client):
    """A client that leaves and comes back behind its position all the time, each time to another replica."""

    async def hop(self, hubs, group, done, since=None):
        """Go on until `done` is set; the last hub keeps it."""
        await self.join(hubs[0], group, since=since)
        for hub in itertools.cycle(hubs):
            entry, hop_at = self.entry, len(self.frames) + HOP
            while len(self.frames) < hop_at and not done.is_set():
                await self.changes(done)
            self.hub.leave(entry.subscription)
            await self.come_back(hub, group)
            if done.is_set():
                return

    async def join(self, hub, group, **options):
        self.hub = hub
        return await super().join(hub, group, **options)

    async def changes(self, done):
        """Wait for a frame, or until there is nothing to wait for."""
        self.arrived.clear()
        ended = asyncio.create_task(done.wait())
        frame = asyncio.create_task(self.arrived.wait())
        await asyncio.wait((ended, frame), return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, frame):
            task.cancel()

    async def come_back(self, hub, group):
        """Join behind the position; when Redis is away, again until it is back."""
        async with asyncio.timeout(OUTAGE):
            while True:
                with contextlib.suppress(Unavailable):
                    await self.join(hub, group, since=self.position)
                    return
                await asyncio.sleep(0.05)


class Encoder:
    """Frames as tuples: data or "reset", epoch, offset."""

    def publication(self, publication):
        return json.loads(publication.data), publication.position.epoch, publication.position.offset

    def reset(self, group, position, reason):
        self.reason = reason
        return "reset", position.epoch, position.offset


ENCODER = Encoder()


async def publish(hub, group, numbers):
    """Publish numbers; when Redis is away, the same one again until it is taken."""
    for number in numbers:
        key = uuid.uuid4().hex
        async with asyncio.timeout(OUTAGE):
            while True:
                try:
                    position = await hub.publish(group, number, key=key)
                    break
                except Unavailable:
                    await asyncio.sleep(0.02)
        await asyncio.sleep(0)  # in memory nothing else lets the others in
    return position


async def delivered(hub, group, client):
    """Publish until the client hears what was published last: from then on delivery goes on."""
    async with asyncio.timeout(OUTAGE):
        while True:
            mark = f"mark {uuid.uuid4().hex[:6]}"
            await publish(hub, group, [mark])
            with contextlib.suppress(TimeoutError):
                await client.heard(mark, MARK)
                return


async def kept(hub, group):
    """What the stream of a group holds in the end."""
    client = Client()
    entry = await client.join(Hub(hub._layer), group, last=100_000)
    await client.until(len(entry.recovered) + entry.following)
    hub.leave(entry.subscription)
    return client.numbers


async def silent(hub, group, number, history=Kept.history):
    """Append to the stream without telling anybody: what a lost pub/sub message looks like."""
    layer = hub._layer._get_layer()
    return await layer.streams.append(group, b"asgi__nowhere", json.dumps(number).encode(), history, None)
