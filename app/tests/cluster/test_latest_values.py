"""An ephemeral group on a real replica: a client that does not read, and one that does."""

import asyncio
import json

import psutil

from tests.replicas import LIMIT

NAMES, ROUNDS, SIZE = 10, 1200, 1000
MEGABYTES = 8
"""By which the replica may grow: the values are 12 MB, a client's outbox would be 1 MiB."""


def join(group):
    return json.dumps({"type": "join", "id": 1, "group": group})


async def received(client):
    """The next value: name and number."""
    data = json.loads(await client.recv())["data"]
    return data["name"], data["number"]


async def test_a_client_that_does_not_read_costs_nothing_and_gets_the_latest(start, own_redis):
    """While it does not read nothing is queued for it and nobody notices; then it gets the newest of each value."""
    replica = start.replica("tests.fanout.values:application", environment={"FANOUT_REDIS_URLS": own_redis.url})
    options = {"subprotocols": ["fanout.v1"], "max_queue": 1}
    async with (
        asyncio.timeout(2 * LIMIT),
        replica.websocket("/ws/", **options) as slow,
        replica.websocket("/ws/", **options) as quick,
        replica.websocket("/ws/", **options) as publisher,
    ):
        for client in (slow, quick):
            await client.send(join("values.a"))
            assert json.loads(await client.recv())["type"] == "joined"
        slow.transport.pause_reading()
        memory = psutil.Process(replica.pid).memory_info().rss
        _, frames = await asyncio.gather(publish(publisher), until_the_end(quick))
        assert psutil.Process(replica.pid).memory_info().rss - memory < MEGABYTES * 1024 * 1024
        slow.transport.resume_reading()
        assert await until_the_end(slow) < frames


async def publish(client):
    """Publish every value ROUNDS times, with an acknowledgement at the end of each round."""
    for number in range(1, ROUNDS + 1):
        for name in range(NAMES):
            data = {"name": f"n{name}", "number": number, "rest": "x" * SIZE}
            await client.send(json.dumps({"type": "publish", "id": 1, "group": "values.a", "data": data}))
        for _ in range(NAMES):
            assert json.loads(await client.recv())["type"] == "ack"


async def until_the_end(client):
    """Read until the last value of each name has come; return how many frames it took."""
    newest, frames = {}, 0
    while len(newest) < NAMES or set(newest.values()) != {ROUNDS}:
        name, number = await received(client)
        assert number > newest.get(name, 0), "an older value came behind a newer one"
        newest[name] = number
        frames += 1
    return frames
