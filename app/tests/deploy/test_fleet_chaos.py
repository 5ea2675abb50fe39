"""`make chaos` on a real fleet."""

import asyncio
import json
from contextlib import AsyncExitStack

import psutil
import pytest
from websockets.asyncio.client import unix_connect

from fleet import chaos
from fleet.errors import FleetError
from fleet.options import CHAOS, read
from tests.cluster.clients import await_that

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SECONDS = 90


class Client:
    """In a room on one replica, whose connection has to outlive what happens."""

    def __init__(self, fleet, name):
        self.name, self.heard = name, set()
        self._connecting = unix_connect(
            str(fleet.run_dir / "sockets" / f"{name}.sock"), "ws://fleet/ws/", subprotocols=["fanout.v1"]
        )

    async def __aenter__(self):
        self._socket = await self._connecting.__aenter__()
        await self._ask("joined", {"type": "join", "group": "chat.chaos"})
        return self

    async def __aexit__(self, *raised):
        await self._connecting.__aexit__(*raised)

    async def publish(self, text):
        """Again with the same key until it is taken: a replica without Redis refuses."""
        asked = {"type": "publish", "group": "chat.chaos", "data": {"message": text}, "key": text}
        while not await self._ask("ack", asked):  # noqa: ASYNC110 - a refusal says nothing of when
            await asyncio.sleep(0.05)

    async def until(self, texts):
        """Read until all of the texts were heard."""
        while not texts <= self.heard:
            await self._read()

    async def _ask(self, answer, frame):
        await self._socket.send(json.dumps(frame))
        while (kind := await self._read()) not in (answer, "error"):
            pass
        return kind == answer

    async def _read(self):
        frame = json.loads(await self._socket.recv())
        if frame["type"] == "publication":
            self.heard.add(frame["data"]["message"])
        return frame["type"]


async def test_every_connection_of_redis_is_killed_and_the_fleet_comes_back(own_fleet):
    """Readers and writers alike; the replicas connect anew by themselves, and what any publishes arrives on each."""
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS):
        clients = [await stack.enter_async_context(Client(own_fleet, name)) for name in own_fleet.names]
        done = await asyncio.to_thread(own_fleet.make, "chaos", WHAT="redis-kill")
        assert int(done.stdout.split("killed")[0].split()[-1]) >= len(clients)
        for client in clients:
            await client.publish(client.name)
        for client in clients:
            await client.until(set(own_fleet.names))


def test_nginx_reloads(own_fleet):
    """The master stays, the workers are new ones."""
    master = psutil.Process(own_fleet.pid("nginx"))
    before = {worker.pid for worker in master.children()}
    own_fleet.make("chaos", WHAT="reload")
    assert own_fleet.pid("nginx") == master.pid
    await_that(lambda: {worker.pid for worker in master.children()} - before, SECONDS, "the workers are others")


def test_replicas_restart_one_by_one(own_fleet):
    """As `make restart` does it."""
    before = {name: own_fleet.pid(name) for name in own_fleet.names}
    own_fleet.make("chaos", WHAT="restart")
    assert all(own_fleet.pid(name) not in (None, pid) for name, pid in before.items())


@pytest.mark.parametrize("what", [None, "fire"])
def test_what_can_not_be_done_is_told(unstarted, what):
    """The sentence lists what can."""
    done = unstarted.make("chaos", check=False, WHAT=what)
    assert "redis-kill" in done.stderr
    assert done.stderr.count("\n") <= 2


@pytest.mark.parametrize("what", CHAOS)
def test_without_a_fleet_nothing_is_broken(unstarted, what):
    """It is said how to start one."""
    done = unstarted.make("chaos", check=False, WHAT=what)
    assert "Nothing runs." in done.stdout + done.stderr


def test_a_redis_that_is_away_is_told_without_its_address():
    """There may be a password in it."""
    with pytest.raises(FleetError, match="Redis number 1") as told:
        chaos.kill_connections("redis://:secret@127.0.0.1:1/0")
    assert "secret" not in str(told.value)


def test_what_reaches_the_options():
    """Make's variable and the option mean the same."""
    assert read(["chaos", "--what", "reload"], {}).what == read(["chaos"], {"WHAT": "reload"}).what == "reload"
