"""The garbage collector of a replica."""

import asyncio
import json
import time

import pytest

from server.collector import ALLOCATIONS
from tests.replicas import LIMIT

LITTERING = "littering:application"


def test_what_the_start_made_is_let_alone_and_later_garbage_is_not(scripted):
    """No collection walks through what was imported; of an application's garbage no more than some rounds' is there."""
    replica = scripted.replica(LITTERING)
    for _ in range(2):
        told = json.loads(replica.get("/litter")[2])
        assert told["enabled"]
        assert told["threshold"] == [ALLOCATIONS, 10, 10]
        assert told["frozen"] > 20_000 > told["watched"] - told["there"]
        assert told["there"] <= 3 * ALLOCATIONS


@pytest.mark.parametrize("path", ["/return", "/wait", "/attach"])
async def test_connections_that_have_ended_leave_the_collector_nothing(scripted, path):
    """However their application goes about it, and without a collection: a storm of them piles up nowhere."""
    replica = scripted.replica(LITTERING)
    assert json.loads(replica.get("/sockets")[2]) == 0
    async with asyncio.timeout(LIMIT):
        clients = [await replica.websocket(path) for _ in range(20)]
        assert json.loads((await asyncio.to_thread(replica.get, "/sockets"))[2]) == 20
        await asyncio.sleep(1.2)  # until the reaper has seen who only waits
        for client in clients:
            await client.close()
    until_none_is_left(replica)


def until_none_is_left(replica):
    """Ask again: a connection is forgotten at the next look, once a second."""
    deadline = time.monotonic() + LIMIT
    while left := json.loads(replica.get("/sockets")[2]):
        assert time.monotonic() < deadline, f"{left} are left"
        time.sleep(0.1)
