"""Durable groups on a Redis that the test may break: gaps are found and filled, and what can't be filled is told."""

import asyncio

import pytest

from fanout.durable.feed import TRIMMED, WAITING_LIMIT
from fanout.history import READ_BYTES
from fanout.hub import Hub
from fanout.positions import Position
from tests.busy import slowed
from tests.fanout.clients import KEPT, Client, Pouring, publish, silent

pytestmark = pytest.mark.usefixtures("policies")


async def test_a_crowd_that_comes_back_reads_the_tail_once(replicas, monkeypatch):
    """3,000 clients that resume together cost the stream one read."""
    start = await publish(replicas[0], "kept.a", [0])
    await publish(replicas[0], "kept.a", range(1, 40))
    reads = []
    read = type(replicas[1]._layer).read

    async def counted(self, *arguments):
        reads.append(arguments)
        return await read(self, *arguments)

    monkeypatch.setattr(type(replicas[1]._layer), "read", counted)
    clients = [Client() for _ in range(3000)]
    await asyncio.gather(*(client.join(replicas[1], "kept.a", since=start) for client in clients))
    assert {tuple(client.numbers) for client in clients} == {tuple(range(1, 40))}
    assert len(reads) == 1


async def test_a_gap_is_filled_at_the_next_publication(replicas):
    """A publication that pub/sub lost is delivered from the stream before the one that shows the hole."""
    client = Client()
    await client.join(replicas[0], "kept.a")
    await publish(replicas[1], "kept.a", [0])
    await silent(replicas[1], "kept.a", 1)
    await publish(replicas[1], "kept.a", [2])
    await client.until(3)
    assert client.numbers == [0, 1, 2]


async def test_what_was_filled_is_what_did_not_come_live(replicas):
    """A publication that waits while its group is compared with the stream has come: a new epoch is no gap."""
    client = Client()
    entry = await client.join(replicas[0], "kept.a")
    await publish(replicas[1], "kept.a", [0])
    await client.until(1)
    assert replicas[0].filled == 0
    await silent(replicas[1], "kept.a", 1)
    await publish(replicas[1], "kept.a", [2])
    await client.until(3)
    assert replicas[0].filled == 1
    replicas[0].leave(entry.subscription)
    assert replicas[0].filled == 1


async def test_a_gap_at_the_end_is_filled_within_two_seconds(replicas):
    """Nothing comes after the lost publication: the look at the quiet group finds it, whenever it was lost."""
    client, clock = Client(), asyncio.get_running_loop().time
    await client.join(replicas[0], "kept.a")
    for number in range(0, 8, 2):
        await publish(replicas[1], "kept.a", [number])
        await client.until(number + 1)
        await silent(replicas[1], "kept.a", number + 1)
        lost = clock()
        await client.until(number + 2)
        assert clock() - lost < 2 * slowed()
        await asyncio.sleep(0.4)  # at another distance from the next look
    assert client.numbers == list(range(8))


async def test_what_was_filled_is_counted(replicas):
    """Three publications of two holes, also behind the last leave."""
    client = Client()
    entry = await client.join(replicas[0], "kept.a")
    await publish(replicas[1], "kept.a", [0, 1])
    await client.until(2)
    # While a stream's first epoch is compared, the second publication may be read before it comes live.
    before = replicas[0].filled
    assert before <= 1
    await silent(replicas[1], "kept.a", 2)
    await silent(replicas[1], "kept.a", 3)
    await publish(replicas[1], "kept.a", [4])
    await client.until(5)
    assert replicas[0].filled == before + 2
    await silent(replicas[1], "kept.a", 5)
    await publish(replicas[1], "kept.a", [6])
    await client.until(7)
    assert client.numbers == list(range(7))
    replicas[0].leave(entry.subscription)
    assert [hub.filled for hub in replicas] == [before + 3, 0]


async def test_looking_at_a_group_leaves_nothing_in_redis(replicas, own_redis):
    """Who joins and leaves groups in which nothing was ever published costs no memory afterwards."""
    for number in range(20):
        entry = await Client().join(replicas[0], f"kept.{number}", last=5)
        replicas[0].leave(entry.subscription)
    assert own_redis.cli.keys("*kept*") == []


async def test_the_first_publication_reaches_who_joined_before_it(replicas):
    """A group without a stream has an epoch all the same, from which clients go on."""
    client, late = Client(), Client()
    entry = await client.join(replicas[0], "kept.a")
    await publish(replicas[1], "kept.a", [0, 1])
    await client.until(2)
    await late.join(replicas[1], "kept.a", since=entry.position)
    assert (client.numbers, late.numbers) == ([0, 1], [0, 1])


async def test_an_entry_that_cannot_be_read_is_told_and_ends_nothing(replicas, own_redis):
    """Live clients are told `reset` and hear on; who resumes before it is told, who resumes behind it is not."""
    client, behind = Client(), Client()
    await client.join(replicas[0], "kept.a")
    start = await publish(replicas[1], "kept.a", [0])
    own_redis.cli.xadd("asgi__stream__{kept.a}", {"t": "0", "b": b"\xc1 no MessagePack"}, id="2-0")
    own_redis.cli.hset("asgi__meta__{kept.a}", "offset", 2)
    position = await publish(replicas[1], "kept.a", [2])
    await client.told_reset()
    await publish(replicas[1], "kept.a", [3])
    await client.heard(3)
    other = Hub(replicas[1]._layer)
    assert (await Client().join(other, "kept.a", since=start)).reset == TRIMMED
    assert (await behind.join(other, "kept.a", since=position)).reset is None
    assert behind.numbers == [3]


async def test_the_last_few_are_no_more_than_that(replicas, monkeypatch):
    """Although another publication arrives while they are read: then it is one of them."""
    await publish(replicas[0], "kept.a", range(5))
    hub, live, late = replicas[1], Client(), Client()
    await live.join(hub, "kept.a")
    read = hub._layer.read

    async def read_slowly(*arguments):
        found = await read(*arguments)
        await publish(replicas[0], "kept.a", [5])
        await live.heard(5)
        return found

    monkeypatch.setattr(hub._layer, "read", read_slowly)
    entry = await late.join(hub, "kept.a", last=3)
    assert (late.numbers, entry.position.offset) == ([3, 4, 5], 6)


async def test_the_last_few_end_at_a_hole(replicas, own_redis):
    """What lies before something that is missing is not given as if nothing were."""
    start = await publish(replicas[0], "kept.a", [0])
    await publish(replicas[0], "kept.a", range(1, 6))
    own_redis.cli.xdel("asgi__stream__{kept.a}", "3-0")
    hub, greedy = Hub(replicas[1]._layer), Client()
    await greedy.join(hub, "kept.a", last=100)
    assert greedy.numbers == [3, 4, 5]
    entry = await Client().join(hub, "kept.a", since=start)
    assert (entry.reset, list(entry.recovered)) == (TRIMMED, [])


async def test_a_late_publication_of_an_older_epoch_is_nothing_new(replicas, own_redis):
    """It was delivered from the stream, or is lost: nobody gets it again, and the group does not stand still."""
    client = Client()
    await client.join(replicas[0], "kept.a")
    await publish(replicas[1], "kept.a", [0])
    await client.until(1)
    feed = replicas[0]._members["kept.a"].feed
    old = feed.tail.find(1)
    own_redis.cli.hset("asgi__meta__{kept.a}", "replid", "another server's")
    await publish(replicas[1], "kept.a", [1])
    await client.until(2)
    feed.take(old)
    await publish(replicas[1], "kept.a", [2])
    await client.until(3)
    assert client.numbers == [0, 1, 2]
    assert feed._waiting == []


@pytest.mark.timeout(100)
async def test_who_is_ahead_of_a_process_in_a_new_epoch_waits_for_it(replicas, own_redis):
    """While a process fills what it missed of an older epoch, who has more of that already goes on behind it."""
    first, ahead = Client(), Client()
    await first.join(replicas[0], "kept.a")
    await publish(replicas[1], "kept.a", [0])
    await first.until(1)
    for number in (1, 2):
        await silent(replicas[1], "kept.a", number)
    top = await replicas[1]._layer.top("kept.a")
    own_redis.cli.hset("asgi__meta__{kept.a}", "replid", "another server's")
    feed = replicas[0]._members["kept.a"].feed
    asked, gate, read = asyncio.Event(), asyncio.Event(), replicas[0]._layer.read

    async def slow(*arguments):
        asked.set()
        await gate.wait()
        return await read(*arguments)

    feed._layer = type("Slow", (), {"top": replicas[0]._layer.top, "read": staticmethod(slow)})()
    feed.mend()
    await asked.wait()
    joining = asyncio.create_task(ahead.join(replicas[0], "kept.a", since=top.position))
    await asyncio.sleep(0)
    gate.set()
    entry = await joining
    await publish(replicas[1], "kept.a", [3])
    await ahead.until(1)
    await first.until(4)
    assert (entry.reset, ahead.numbers, first.numbers) == (None, [3], [0, 1, 2, 3])


async def test_what_was_read_before_a_loss_is_not_kept(replicas, own_redis):
    """An answer of before a failover that comes late is not given for what took the lost offsets since."""
    live, late, after = Client(), Client(), Client()
    await live.join(replicas[0], "kept.a")
    positions = [await publish(replicas[1], "kept.a", [number]) for number in range(5)]
    await live.until(5)
    feed = replicas[0]._members["kept.a"].feed
    feed.tail.clear()
    answered, gate, layer = asyncio.Event(), asyncio.Event(), replicas[0]._layer

    async def slow(*arguments):
        answer = await layer.read(*arguments)
        answered.set()
        await gate.wait()
        return answer

    feed._layer = type("Slow", (), {"top": layer.top, "read": staticmethod(slow)})()
    joining = asyncio.create_task(late.join(replicas[0], "kept.a", since=Position("any", 0)))
    await answered.wait()
    survivors = own_redis.cli.xrange("asgi__stream__{kept.a}", count=3)
    own_redis.cli.delete("asgi__stream__{kept.a}")
    for name, fields in survivors:
        own_redis.cli.xadd("asgi__stream__{kept.a}", fields, id=name)
    own_redis.cli.hset("asgi__meta__{kept.a}", mapping={"offset": 3, "replid": "another server's"})
    feed.mend()
    await live.told_reset()
    feed._layer = layer
    gate.set()
    await joining
    await publish(replicas[1], "kept.a", ["new 3", "new 4"])
    await live.heard("new 4")
    feed.tail._newest.clear()  # as when newer ones have taken its place
    await after.join(replicas[0], "kept.a", since=positions[2])
    await after.until(2)
    await late.until(5)
    assert (late.numbers, after.numbers) == ([0, 1, 2, "new 3", "new 4"], ["new 3", "new 4"])


async def test_a_large_gap_is_held_a_portion_at_a_time(replicas):
    """Of 8 MiB that were missed, the process holds some portions at any time; clients get all, in order."""
    client, group, most = Client(), "pouring.a", 0
    await client.join(replicas[0], group)
    await publish(replicas[1], group, ["begin"])
    await client.heard("begin")
    for number in range(128):
        await silent(replicas[1], group, f"{number:0{64 * 1024}}", Pouring.history)
    members = replicas[0]._members[group]
    advance = members.feed._deliver

    def watched(publication):
        nonlocal most
        advance(publication)
        most = max(most, members.delivery._held_bytes)

    members.feed._deliver = watched
    await publish(replicas[1], group, ["end"])
    await client.heard("end")
    assert client.numbers[1:-1] == [f"{number:0{64 * 1024}}" for number in range(128)]
    assert most <= members.delivery.portion + 2 * READ_BYTES


async def test_a_flood_while_a_gap_is_filled_is_not_held(replicas):
    """Of more live publications than a few, the stream is asked again; nothing is lost, doubled or disordered."""
    client, group = Client(), "pouring.a"
    await client.join(replicas[0], group)
    await publish(replicas[1], group, [0])
    await client.until(1)
    feed = replicas[0]._members[group].feed
    gate, top, most = asyncio.Event(), replicas[0]._layer.top, 0

    async def slow(name):
        await gate.wait()
        return await top(name)

    feed._layer = type("Slow", (), {"top": staticmethod(slow), "read": replicas[0]._layer.read})()
    feed.mend()
    for number in range(1, 500):
        await publish(replicas[1], group, [number])
        most = max(most, len(feed._waiting))
    gate.set()
    await client.until(500)
    assert client.numbers == list(range(500))
    assert most == WAITING_LIMIT


async def test_a_gap_that_is_trimmed_is_told(replicas):
    """What can't be filled is told as a reset at the position from which delivery goes on."""
    client = Client()
    await client.join(replicas[0], "kept.a")
    for number in range(KEPT + 2):
        await silent(replicas[1], "kept.a", number)
    await publish(replicas[1], "kept.a", ["next"])
    await client.told_reset()
    await publish(replicas[1], "kept.a", ["after"])
    await client.heard("after")
    assert not set(client.numbers) & set(range(KEPT + 2))
