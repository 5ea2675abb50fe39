"""The asyncio client while replicas, connections and Redis come and go: nothing lost, nothing doubled."""

import asyncio
import contextlib
import os
import signal

import pytest

from fanout.client import Joined, NotConnected, Reset, Unacknowledged, connect, traffic
from fanout.client import Publication as Message
from fanout.errors import Unavailable
from tests.fanout.client.conftest import URL, take, until
from tests.replicas import LIMIT


@contextlib.asynccontextmanager
async def pouring(publisher, group, pause=0.002):
    """Publish numbers, one after the other, until the block ends."""

    async def pour():
        while True:
            await publisher.publish(group)
            await asyncio.sleep(pause)

    task = asyncio.create_task(pour())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "drain"])
async def test_a_replica_that_goes_loses_nothing(pair, enter, publisher, group, number):
    """While publications pour in, each replica in turn is gone: the client goes on behind its position on the other."""
    client = await enter(pair.path, group)
    async with pouring(publisher, group):
        numbers = await take(client, 100)
        gone = pair.switch()
        gone.signal(number)
        numbers += await take(client, 300)
    numbers += await take(client, publisher.published - len(numbers))
    assert numbers == list(range(publisher.published))
    assert client.replica == pair.name
    await asyncio.to_thread(gone.wait)


async def test_publishing_goes_on_while_a_replica_goes(pair, enter, publisher, group):
    """Each publication is there once and in order, though some were sent to both replicas."""
    client = await enter(pair.path)

    async def publish():
        return [await client.publish(group, [number]) for number in range(300)]

    publishing = asyncio.create_task(publish())
    await until(lambda: client._core._line._last_id > 200)
    pair.switch().signal(signal.SIGKILL)
    positions = await publishing
    assert [position.offset for position in positions] == list(range(1, 301))
    assert await publisher.data(group) == [[number] for number in range(300)]


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
async def test_connections_of_a_replica_to_redis_may_break(shared_pair, enter, publisher, group, kind):
    """CLIENT KILL of whoever listens or publishes: the client sees nothing of it."""
    client = await enter(shared_pair.path, group)
    numbers = []
    for _ in range(3):
        await publisher.publish(group, 20)
        numbers += await take(client, 20)
        shared_pair.redis.cli.client_kill_filter(_type=kind, skipme=True)
        await client.publish(f"{group}.own", 1)
        with contextlib.suppress(Unavailable):  # the publisher's own connection was cut as well
            await publisher._layer.top(group)
    await publisher.publish(group, 20)
    numbers += await take(client, 20)
    assert numbers == list(range(80))


async def test_a_redis_that_stands_still_is_waited_for(shared_pair, enter, publisher, group):
    """`publish` is tried again with the same key while the server says `unavailable`, and returns when it is there."""
    client = await enter(shared_pair.path, group)
    shared_pair.redis.pause()
    publishing = asyncio.create_task(client.publish(group, ["late"]))
    await asyncio.sleep(2.5)  # longer than the replica waits for Redis
    assert not publishing.done()
    shared_pair.redis.resume()
    assert (await publishing).offset == 1
    assert await take(client, 1) == ["late"]
    assert await publisher.data(group) == [["late"]]


async def test_lost_writes_are_told_as_a_reset(shared_pair, enter, publisher, group):
    """Redis comes back without what it had acknowledged: live, and to who comes back."""
    client = await enter(shared_pair.path, group)
    await publisher.publish(group, 5)
    await take(client, 5)
    shared_pair.redis.restart()  # in this thread: Redis would die with another one
    async with asyncio.timeout(LIMIT):
        event = await anext(client)
    assert isinstance(event, Reset)
    assert (event.group, event.position.offset, event.reason) == (group, 0, "lost")
    await client.publish(group, ["new"])
    assert await take(client, 1) == ["new"]


@pytest.mark.parametrize("size", [10, 400_000], ids=["small", "more than the socket takes"])
async def test_a_replica_that_hangs_is_given_up(shared_pair, enter, group, monkeypatch, size):
    """It answers no ping, or takes none: the client goes on at the other one, and nobody had to close anything."""
    monkeypatch.setattr(traffic, "ANSWER_LIMIT", 0.5)
    client = await enter(shared_pair.path, group)
    await client.publish(group, ["first"])
    assert await take(client, 1) == ["first"]
    hanging = shared_pair.switch()
    hanging.signal(signal.SIGSTOP)
    try:
        publishing = asyncio.create_task(client.publish(group, ["own", "x" * size]))
        assert await take(client, 1) == ["own"]
        assert (await publishing).offset == 2
        assert client.replica == shared_pair.name
    finally:
        hanging.signal(signal.SIGCONT)


async def test_closing_waits_for_nobody_for_long(shared_pair, enter, group):
    """Not for a replica that hangs, and takes not even a goodbye."""
    client = await enter(shared_pair.path)
    shared_pair.current.signal(signal.SIGSTOP)
    try:
        publishing = asyncio.create_task(client.publish(group, "x" * 400_000))
        await until(lambda: client._core.oldest_call is not None)
        async with asyncio.timeout(traffic.CLOSE_LIMIT + 3):
            await client.close()
        with pytest.raises(Unacknowledged):
            await publishing
    finally:
        shared_pair.current.signal(signal.SIGCONT)


async def test_a_slow_user_is_not_taken_for_a_dead_connection(shared_pair, enter, publisher, group, monkeypatch):
    """While the client does not read on purpose, unanswered pings mean nothing."""
    monkeypatch.setattr(traffic, "ANSWER_LIMIT", 0.5)
    client = await enter(shared_pair.path, group)
    await publisher.publish(group, 120, "x" * 10_000)  # more than waits here, less than the server would cut
    await until(lambda: client._inbox.waiting)
    connection = client._core._line.connection
    await asyncio.sleep(1.5)
    monkeypatch.undo()  # from here on it reads, and a busy machine may be slow to answer
    assert await take(client, 120) == list(range(120))
    assert client._core._line.connection == connection


# -- a connection that breaks at a chosen place ------------------------------------------------------


class Gate:
    """Between client and replica: breaks the connection, once, before a word that the server says."""

    def __init__(self, target, word):
        self.target = target
        self.word = word
        self.broken = 0

    async def serve(self, reader, writer):
        there_reader, there_writer = await asyncio.open_unix_connection(str(self.target))
        pumps = {
            asyncio.create_task(self.pump(reader, there_writer, None)),
            asyncio.create_task(self.pump(there_reader, writer, self.word)),
        }
        _, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.wait(pumps)
        for end in (writer, there_writer):
            end.close()

    async def pump(self, reader, writer, word):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if word and not self.broken and word in data:
                    self.broken += 1
                    writer.write(data.partition(word)[0])
                    return
                writer.write(data)


@pytest.fixture
async def gate(replica, start):
    """A function that makes a gate before the shared replica, by the word; it returns the gate and its path."""
    servers = []

    async def make(word):
        made = Gate(replica.path, word)
        path = start.folder / "gate.sock"
        servers.append(await asyncio.start_unix_server(made.serve, path))
        return made, path

    yield make
    for server in servers:
        server.close()


async def test_a_lost_acknowledgement_makes_no_second_publication(gate, enter, publisher, group):
    """The publication is there, its publisher can't know, and sends it again with the same key."""
    made, path = await gate(b'"ack"')
    client = await enter(path, group)
    assert (await client.publish(group, ["once"])).offset == 1
    assert (await client.publish(group, ["twice"])).offset == 2
    assert made.broken == 1
    assert await publisher.data(group) == [["once"], ["twice"]]
    assert await take(client, 2) == ["once", "twice"]


async def test_an_ephemeral_publication_is_not_repeated(gate, enter):
    """It could be doubled: its publisher is told that it may be there or not."""
    made, path = await gate(b'"ack"')
    client = await enter(path, "live.b")
    with pytest.raises(Unacknowledged, match="may be there or not"):
        await client.publish("live.b", 1)
    assert made.broken == 1


@pytest.mark.parametrize("word", [b'"joined"', b'"recovered":', b'[7, ""]'])
async def test_a_connection_may_break_anywhere_in_a_recovery(gate, enter, publisher, group, word):
    """Before the answer, in it, and between what is recovered: all of it arrives once."""
    await publisher.publish(group, 10)
    made, path = await gate(word)
    client = await enter(path, group, last=10)
    assert await take(client, 10) == list(range(10))
    assert made.broken == 1


# -- no connection -----------------------------------------------------------------------------------


async def test_who_enters_waits_for_a_server(shared_pair, group):
    """A replica that comes within the timeout is found."""
    shared_pair.path.unlink()
    entering = asyncio.create_task(connect(URL, [group], unix=shared_pair.path, timeout=LIMIT).__aenter__())
    await asyncio.sleep(0.3)
    assert not entering.done()
    shared_pair.switch()
    client = await entering
    assert isinstance(await anext(client), Joined)
    await client.close()


async def test_who_waits_in_vain_is_told_why(folder):
    """After the timeout, with the last reason."""
    with pytest.raises(NotConnected, match=r"within 0\.3 s.*No such file"):
        async with connect(URL, unix=folder / "nobody.sock", timeout=0.3):
            pytest.fail("there is nobody")


async def test_publishing_waits_for_the_next_connection(pair, enter, publisher, group):
    """While there is none, a durable publication waits and an ephemeral one is refused at once."""
    client = await enter(pair.path, group, "live.c")
    pair.path.unlink()
    os.kill(pair.current.pid, signal.SIGKILL)
    await until(lambda: not client._core._line.open)
    with pytest.raises(NotConnected, match="ephemeral"):
        await client.publish("live.c", 1)
    publishing = asyncio.create_task(client.publish(group, ["waited"]))
    await asyncio.sleep(0.3)
    assert not publishing.done()
    pair.switch()
    assert (await publishing).offset == 1
    async with asyncio.timeout(LIMIT):
        while not isinstance(event := await anext(client), Message):
            assert isinstance(event, Joined)
    assert event.data == ["waited"]
