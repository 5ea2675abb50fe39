"""Real replicas that are killed, and clients that do not read: what the others notice."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import statistics
import time
import uuid

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from fanout.close_codes import TOO_SLOW
from fanout.durable.follower import STALL_LIMIT
from fanout.history import History
from fanout.layers import RedisChannelLayer

pytestmark = [pytest.mark.cluster, pytest.mark.fault]

SECONDS = 60
"""For a whole fault on a busy machine; usually it takes 10."""
KIB, MIB = 1 << 10, 1 << 20
ROUND = 10
OUTBOX_LIMIT = MIB
"""What waits for one client at most (fanout.policy)."""
GROWTH = 3
"""Outboxes by which a replica may grow for one client: the queue and a copy on its way into it, what is at hand of the
group's history, and what the allocator keeps."""
GONE = (OSError, ConnectionClosed, InvalidHandshake, TimeoutError)


class Resuming:
    """A client of fanout.v1 that comes back behind its position, on whichever replica nginx chooses."""

    def __init__(self, url, group):
        self.url, self.group = url, group
        self.numbers, self.resets, self.replicas = [], [], []
        self.changed = asyncio.Event()
        self._position = None

    async def run(self):
        while True:
            with contextlib.suppress(*GONE):
                async with connect(self.url, subprotocols=["fanout.v1"], ping_interval=None) as socket:
                    self.replicas.append(socket.response.headers["X-Replica"])
                    since = {"since": self._position} if self._position else {}
                    await socket.send(json.dumps({"type": "join", "group": self.group, **since}))
                    async for frame in socket:
                        self._take(json.loads(frame))
            await asyncio.sleep(0.05)

    def _take(self, frame):
        if frame["type"] == "publication":
            self.numbers.append(int(frame["data"]["message"]))
        if frame["type"] == "reset" or frame.get("reset"):
            self.resets.append(frame)
        if "epoch" in frame and not (frame["type"] == "joined" and frame.get("recovered")):
            self._position = {"epoch": frame["epoch"], "offset": frame["offset"]}
        self.changed.set()

    async def until(self, holds):
        async with asyncio.timeout(SECONDS):
            while not holds(self):
                self.changed.clear()
                await self.changed.wait()


async def publish(url, group, numbers):
    """Publish each number until it is acknowledged, with the same key wherever it is sent."""
    waiting, key = iter(numbers), None
    number = next(waiting, None)
    while number is not None:
        with contextlib.suppress(*GONE):
            async with connect(url, subprotocols=["fanout.v1"], ping_interval=None) as socket:
                while number is not None:
                    key = key or uuid.uuid4().hex
                    frame = {"type": "publish", "group": group, "data": {"message": str(number)}, "key": key, "id": 1}
                    await socket.send(json.dumps(frame))
                    async with asyncio.timeout(5):
                        answer = json.loads(await socket.recv())
                    if answer["type"] == "ack":
                        number, key = next(waiting, None), None
        await asyncio.sleep(0.05)


async def until_closed(client):
    """What a client still reads, up to the end of its connection."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            async with asyncio.timeout(SECONDS):
                message = await client.recv()
            yield message


async def test_killed_replicas_lose_and_double_nothing(own_fleet):
    """Kill -9 of one replica after the other under load: each client gets every publication once, in order."""
    own_fleet.make("up", REPLICAS=3, PORT=own_fleet.port)
    url, group = f"{own_fleet.ws_url}/ws/", f"chat.kill-{uuid.uuid4().hex[:8]}"
    clients = [Resuming(url, group) for _ in range(12)]
    running = [asyncio.create_task(client.run()) for client in clients]
    try:
        for client in clients:
            await client.until(lambda client: client._position)
        over = asyncio.Event()
        numbers = itertools.takewhile(lambda _: not over.is_set(), itertools.count())
        publishing = asyncio.create_task(publish(url, group, numbers))
        for name in ("web-1", "web-2"):
            heard = len(clients[0].numbers)
            await clients[0].until(lambda client, heard=heard: len(client.numbers) > heard + 100)
            victims = {client: len(client.replicas) for client in clients if client.replicas[-1] == name}
            os.kill(own_fleet.pid(name), signal.SIGKILL)
            for victim, connections in victims.items():
                await victim.until(lambda client, had=connections: len(client.replicas) > had)
        over.set()
        async with asyncio.timeout(SECONDS):
            await publishing
        await publish(url, group, [10**6])
        for client in clients:
            await client.until(lambda client: client.numbers[-1:] == [10**6])
            assert client.resets == []
            assert client.numbers == [*range(len(client.numbers) - 1), 10**6]
        assert len({len(client.numbers) for client in clients}) == 1
        assert sum(len(client.replicas) for client in clients) > len(clients), "nobody was on a killed replica"
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


LONG = 400
"""Publications of a history that is 25 times an outbox, and less than may wait for the archive."""
LIVE = 20
"""Publications while it is read."""
GOODBYE = 5
"""Seconds in which a client that is closed has to read the close frame, before it is cut off (autobahn's default)."""
LATE = 0.5
"""Seconds by which a busy machine may make one of 100 rounds of the others longer; usually it takes 10 ms."""


async def rounds(client, count, text):
    """Publish ten and hear them, again and again; return the seconds of each round."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        for _ in range(ROUND):
            await client.send(json.dumps({"message": text}))
        for _ in range(ROUND):
            await client.recv()
        took.append(time.perf_counter() - began)
    return took


async def peak(process):
    """The most memory that a process has taken, until cancelled."""
    most = process.memory_info().rss
    try:
        while True:
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.005)
    except asyncio.CancelledError:
        return most


@contextlib.asynccontextmanager
async def growth(process):
    """Yields a function that ends the watch and returns the bytes by which the process has grown at most."""
    before, watching = process.memory_info().rss, asyncio.create_task(peak(process))
    await asyncio.sleep(0)

    async def ended():
        watching.cancel()
        return await watching - before

    try:
        yield ended
    finally:
        watching.cancel()


@pytest.fixture
async def long_history(own_redis):
    """A group with 400 publications of 64 KiB."""
    layer = RedisChannelLayer(hosts=[own_redis.url])
    for number in range(LONG):
        data = json.dumps({"message": f"{number:0{64 * KIB}}"}).encode()
        await layer.append("chat.long", data, History(bytes=0))
    yield "chat.long"
    await layer.flush()


async def test_a_client_that_never_reads_is_cut_off_alone(start, own_redis):
    """It is closed within seconds, costs no more than its outbox, and the others' latency stays."""
    replica = start.replica(environment={"FANOUT_REDIS_URLS": own_redis.url})
    process = psutil.Process(replica.pid)
    text = "x" * 16 * KIB
    async with replica.websocket("/ws/chat/", max_queue=1) as healthy:
        usual = await rounds(healthy, 28, text)  # what every durable group keeps at hand is there then
        files = process.num_fds()
        async with growth(process) as ended:
            stuck = await replica.websocket("/ws/chat/", max_queue=1)
            began, slow, cut_after = time.monotonic(), [], None
            async with asyncio.timeout(SECONDS):
                for _ in range(10):
                    slow += await rounds(healthy, 10, text)  # 16 MiB in the end
                    if cut_after is None and process.num_fds() <= files:
                        cut_after = time.monotonic() - began
                while process.num_fds() > files:  # noqa: ASYNC110 - the kernel does not tell
                    await asyncio.sleep(0.05)
            cut_after = cut_after or time.monotonic() - began
            grown = await ended()
        assert cut_after < SECONDS / 2
        assert grown < GROWTH * OUTBOX_LIMIT, f"{grown / MIB:.1f} MiB for a client that was not sent 16 MiB"
        assert statistics.median(slow) < 3 * statistics.median(usual) + 0.01
        got = [message async for message in until_closed(stuck)]
        assert len(got) * len(text) < 4 * OUTBOX_LIMIT


@pytest.mark.slow
async def test_a_long_history_that_is_not_read_costs_an_outbox(start, own_redis, long_history):
    """Who asks for 25 MiB and reads none is closed with 4008 in bounded time; nobody else notices; it can go on."""
    replica = start.replica(environment={"FANOUT_REDIS_URLS": own_redis.url})
    process = psutil.Process(replica.pid)
    async with replica.websocket("/ws/chat/", max_queue=1) as healthy:
        usual = await rounds(healthy, 100, "x" * KIB)
        async with growth(process) as ended:
            stuck = await replica.websocket("/ws/", subprotocols=["fanout.v1"], max_queue=1)
            join = {"type": "join", "group": long_history, "id": 1, "since": {"epoch": "any", "offset": 0}}
            await stuck.send(json.dumps(join))
            joined = json.loads(await stuck.recv())
            assert (joined["recovered"], joined["offset"], joined.get("reset")) == (LONG, LONG, None)
            began, slow = time.monotonic(), []
            while time.monotonic() - began < STALL_LIMIT + GOODBYE / 2:
                slow += await rounds(healthy, 5, "x" * KIB)
            grown = await ended()
        assert grown < GROWTH * OUTBOX_LIMIT, f"{grown / MIB:.1f} MiB for a client that reads nothing"
        assert statistics.median(slow) < 3 * statistics.median(usual) + 0.01
        assert statistics.quantiles(slow, n=100)[-1] < max(usual) + LATE
        got = [json.loads(message) async for message in until_closed(stuck)]
        assert stuck.close_code == TOO_SLOW
        assert [frame["offset"] for frame in got] == [*range(1, len(got) + 1)]
        assert 0 < len(got) < LONG / 4
        at = {name: got[-1][name] for name in ("epoch", "offset")}
        async with replica.websocket("/ws/", subprotocols=["fanout.v1"]) as again:
            await again.send(json.dumps({**join, "since": at}))
            joined = json.loads(await again.recv())
            assert joined["recovered"] == LONG - len(got)
            rest = [json.loads(await again.recv())["offset"] for _ in range(joined["recovered"])]
            assert rest == [*range(len(got) + 1, LONG + 1)]


@pytest.mark.slow
async def test_a_long_history_that_is_read_slowly_comes_whole(start, own_redis, long_history):
    """A reader that takes its time gets 25 MiB in order, and what is published meanwhile behind it."""
    replica = start.replica(environment={"FANOUT_REDIS_URLS": own_redis.url})
    process = psutil.Process(replica.pid)
    async with replica.websocket("/ws/", subprotocols=["fanout.v1"], max_queue=8) as slow:
        async with growth(process) as ended:
            await slow.send(json.dumps({"type": "join", "group": long_history, "last": LONG}))
            assert json.loads(await slow.recv())["recovered"] == LONG
            offsets = []
            async with replica.websocket(f"/ws/chat/{long_history.partition('.')[2]}/", max_queue=1) as live:
                for number in range(LONG + LIVE):
                    if number % (LONG // LIVE) == 0 and number < LONG:
                        await asyncio.sleep(0.1)  # a reader of some 15 MB/s
                        await live.send(json.dumps({"message": "live"}))
                        await live.recv()
                    offsets.append(json.loads(await slow.recv())["offset"])
            grown = await ended()
        assert offsets == [*range(1, LONG + LIVE + 1)]
        assert grown < GROWTH * OUTBOX_LIMIT, f"{grown / MIB:.1f} MiB for a slow client"
