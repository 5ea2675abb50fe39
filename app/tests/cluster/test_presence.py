"""Who is in a room, over a real fleet of which a replica dies without a word."""

import asyncio
import json
import os
import signal
import time

import pytest
from websockets.asyncio.client import connect

pytestmark = pytest.mark.cluster

SECONDS = 60
PROMISED = 15
"""Seconds in which the members of a dead replica are gone."""


class Member:
    """A client of `fanout.v1` that keeps who is there."""

    def __init__(self, socket):
        self.socket = socket
        self.replica = socket.response.headers["X-Replica"]
        self.count, self.names = 0, {}

    async def join(self, name):
        frame = {"type": "join", "id": 1, "group": "chat.presence", "presence": True, "info": {"name": name}}
        await self.socket.send(json.dumps(frame))
        joined = json.loads(await self.socket.recv())
        self.count = joined["presence"]["count"]
        self.take(joined["presence"]["members"])

    def take(self, members):
        self.names |= {member["id"]: member["info"]["name"] for member in members}

    async def sees(self, *names):
        """Follow the `presence` frames until exactly these are there."""
        while self.count != len(names) or sorted(self.names.values()) != sorted(names):
            frame = json.loads(await self.socket.recv())
            self.count = frame["count"]
            self.take(frame.get("join", ()))
            for member in frame.get("leave", ()):
                del self.names[member]


async def test_the_members_of_a_dead_replica_are_gone_within_the_promised_time(own_fleet):
    """Each client sees those of all replicas; after kill -9 of one, its clients are gone, and nobody else."""
    fleet, members = own_fleet, {}
    async with asyncio.timeout(SECONDS):
        while len(members) < 3:
            member = Member(await connect(f"{fleet.ws_url}/ws/", subprotocols=["fanout.v1"]))
            if members.setdefault(member.replica, member) is not member:
                await member.socket.close()
        for name, member in members.items():
            await member.join(name)
        await asyncio.gather(*(member.sees(*members) for member in members.values()))
        dead = members.pop("web-2")
        os.kill(fleet.pid("web-2"), signal.SIGKILL)
        began = time.monotonic()
        await asyncio.gather(*(member.sees(*members) for member in members.values()))
        assert time.monotonic() - began < PROMISED
        for member in (dead, *members.values()):
            await member.socket.close()
