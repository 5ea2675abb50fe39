"""Sockets that watch who is in a group, within the process."""

import asyncio

from fanout.policy import Policy

LIMIT = 15
GROUP = "room.a"


class Known:
    """What a client makes of the changes that it is told, as PROTOCOL.md says."""

    def __init__(self, view):
        self.count, self.members = view.count, dict(view.members)

    def told(self, change):
        if change is None:
            return
        self.count = change.count
        if change.members is not None:
            self.members = dict(change.members)
        self.members |= change.join
        for member in change.leave:
            del self.members[member]


class Room(Policy):
    """Keeps presence; ephemeral."""

    kind = "room"
    presence = True


class Broadcaster:
    def broadcast(self, sockets, payloads, limit):
        for socket in sockets:
            for change in payloads:
                socket.frames += 1
                socket.known.told(change)
                socket.heard.set()

    def offer(self, sockets, payloads):
        raise AssertionError("presence is not superseded: each change builds on the one before")


class Encoder:
    """Frames are the changes themselves."""

    def presence(self, group, change):
        assert group == GROUP
        return change


ENCODER = Encoder()


class Client:
    """A socket that watches a group, or not."""

    broadcaster = Broadcaster()

    def __init__(self):
        self.frames = 0
        self.known = None
        self.heard = asyncio.Event()

    async def join(self, hub, info=None, watch=False):
        self.entry = await hub.join(GROUP, self, ENCODER, info=info, watch=watch)
        self.known = Known(self.entry.view) if watch else None
        return self

    @property
    def infos(self):
        return sorted(self.known.members.values())

    async def until(self, condition):
        """Wait until the condition holds for this client."""
        async with asyncio.timeout(LIMIT):
            while not condition(self):
                self.heard.clear()
                await self.heard.wait()

    async def sees(self, *infos):
        """Wait until exactly these are there."""
        await self.until(lambda client: client.infos == sorted(infos) and client.known.count == len(infos))
