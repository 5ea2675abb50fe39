"""The asyncio client with a real replica: what arrives, what is published, what is refused."""

import asyncio

import pytest

from fanout import errors
from fanout.client import Joined, NotConnected, Publication, Refused, Unacknowledged, connect
from fanout.client import client as client_module
from fanout.client.inbox import LIMIT as INBOX_LIMIT
from fanout.positions import Position
from tests.fanout.client.conftest import URL, take, tasks_of_clients, until
from tests.replicas import LIMIT


async def test_who_enters_is_in_all_groups(replica, enter, group):
    """What is published from then on arrives, with its position; the client says who took it."""
    client = await enter(replica.path, group, f"{group}.b")
    assert client.replica == "web-1"
    position = await client.publish(group, {"n": 1})
    events = [await anext(client) for _ in range(3)]
    assert {event.group for event in events[:2] if isinstance(event, Joined)} == {group, f"{group}.b"}
    assert (events[2].group, events[2].data, events[2].position) == (group, {"n": 1}, position)
    assert position.offset == 1
    assert client.position(group) == position


async def test_older_publications_come_first(replica, enter, publisher, group):
    """The last n, or what lies behind a position that was stored."""
    await publisher.publish(group, 10)
    client = await enter(replica.path, group, last=3)
    assert await take(client, 3) == [7, 8, 9]
    stored = Position(client.position(group).epoch, 5)
    other = await enter(replica.path, group, since={group: stored})
    joined = await anext(other)
    assert (joined.recovered, joined.reset) == (5, None)
    assert await take(other, 5) == [5, 6, 7, 8, 9]


async def test_groups_come_and_go(replica, enter, publisher, group):
    """What is joined later arrives from then on; what is left does not arrive any more."""
    client = await enter(replica.path)
    await client.join(group)
    await client.join(group)  # harmless
    await publisher.publish(group, 1)
    assert await take(client, 1) == [0]
    await client.leave(group)
    await client.leave(group)  # harmless
    await publisher.publish(group, 1)
    await client.join(f"{group}.b")
    await client.publish(f"{group}.b", [99])
    assert await take(client, 1) == [99]


async def test_an_ephemeral_group_has_no_positions(replica, enter):
    """Neither the publication nor its acknowledgement."""
    client = await enter(replica.path, "live.a")
    assert await client.publish("live.a", "now") is None
    joined, message = await anext(client), await anext(client)
    assert (joined.position, message.data, message.position) == (None, "now", None)


async def test_many_tasks_publish_in_their_order(replica, enter, group):
    """200 publications at once are each there once, in the order of the calls."""
    client = await enter(replica.path, group)
    positions = await asyncio.gather(*(client.publish(group, [number]) for number in range(200)))
    assert [position.offset for position in positions] == list(range(1, 201))
    assert await take(client, 200) == list(range(200))


async def test_the_servers_refusals_are_its_own_errors(replica, enter, group):
    """By class and sentence; the client goes on."""
    client = await enter(replica.path)
    with pytest.raises(errors.Forbidden, match=r"may not publish to nobody\.s"):
        await client.publish("nobody.s", 1)
    with pytest.raises(errors.Forbidden, match=r"may not join nobody\.s"):
        await client.join("nobody.s")
    with pytest.raises(errors.BadGroup):
        await client.join("no room")
    with pytest.raises(errors.BadData, match="message"):
        await client.publish("chat.a", {"text": "hi"})
    await client.publish(group, 1, key="k")
    with pytest.raises(errors.KeyConflict, match="new one"):
        await client.publish(group, 2, key="k")
    assert (await client.publish(group, 1, key="k")).offset == 1


async def test_a_refused_group_is_told_on_entering(replica):
    """The `async with` raises, and nothing is left open."""
    with pytest.raises(errors.Forbidden, match=r"may not join nobody\.s"):
        async with connect(URL, ["nobody.s", "live.a"], unix=replica.path):
            pytest.fail("it was let in")


async def test_a_frame_over_the_limit_is_refused(replica, enter, group):
    """The socket stays; over the server's own limit of 1 MiB it does not, and that is final."""
    client = await enter(replica.path)
    with pytest.raises(errors.TooLarge, match="may hold"):
        await client.publish(group, "x" * 600_000)
    assert (await client.publish(group, 1)).offset == 1
    with pytest.raises(errors.TooLarge, match="send less"):
        await client.publish(group, "x" * 1_100_000)
    with pytest.raises(client_module.Closed, match="1009"):
        await client.publish(group, 2)


# -- a slow user -----------------------------------------------------------------------------------


async def test_a_slow_user_holds_the_server_up_and_misses_nothing(replica, enter, publisher, group):
    """30 MB for who does not iterate: a bounded part waits here, the server cuts the rest; later all of it arrives."""
    client = await enter(replica.path, group)
    count, filling = 3000, "x" * 10_000
    await publisher.publish(group, count, filling)
    await until(lambda: client._inbox.waiting)
    assert client._inbox._bytes < INBOX_LIMIT + 2 * len(filling)
    assert await take(client, count) == list(range(count))


async def test_who_never_iterates_collects_nothing_by_reconnecting(replica, enter, publisher, group):
    """The inbox is full: what tells of another join finds no room, and is not needed."""
    client = await enter(replica.path, group)
    await publisher.publish(group, 150, "x" * 10_000)
    await until(lambda: client._inbox.waiting)
    waiting = client._inbox._bytes
    client._act([Joined(group, "web-1")] * 10, 100)
    assert client._inbox._bytes == waiting


async def test_an_answer_is_found_behind_what_there_is_no_room_for(replica, enter, publisher, group):
    """Who publishes for each message while far more pour in waits for no room, and misses nothing."""
    client = await enter(replica.path, group)
    count, filling = 1000, "x" * 10_000
    pouring = asyncio.create_task(publisher.publish(group, count, filling))
    numbers = []
    async with asyncio.timeout(LIMIT):
        while len(numbers) < count:
            event = await anext(client)
            if isinstance(event, Publication):
                numbers.append(event.data[0])
                if len(numbers) % 50 == 0:
                    await client.publish(f"{group}.answers", numbers[-1])
    await pouring
    assert numbers == list(range(count))


async def test_who_joins_with_a_long_history_is_joined(replica, enter, publisher, group):
    """The answer to the second join is behind a history that has no room; all of both arrives, in order."""
    for name in (group, f"{group}.b"):
        publisher.published = 0
        await publisher.publish(name, 500, "x" * 5_000)
    client = await enter(replica.path, group, f"{group}.b", last=500)
    heard = {group: [], f"{group}.b": []}
    async with asyncio.timeout(LIMIT):
        while any(len(numbers) < 500 for numbers in heard.values()):
            event = await anext(client)
            assert isinstance(event, Joined | Publication), event
            if isinstance(event, Publication):
                heard[event.group].append(event.data[0])
    assert list(heard.values()) == [list(range(500))] * 2


# -- the end ---------------------------------------------------------------------------------------


async def test_a_closed_client_ends_its_iteration(replica, group):
    """Who iterates in another task is let go; what is called then says so."""
    async with connect(URL, [group], unix=replica.path) as client:
        iterating = asyncio.create_task(anext(client, None))
        assert isinstance(await iterating, Joined)
        iterating = asyncio.create_task(anext(client, None))
        await asyncio.sleep(0)
        await client.close()
        assert await iterating is None
    for call in (client.publish(group, 1), client.join(group), client.__aenter__()):
        with pytest.raises(NotConnected, match="closed"):
            await call


async def test_closing_settles_who_waits(shared_pair, enter, group):
    """A publication under way is told as unacknowledged, a join as not made."""
    client = await enter(shared_pair.path)
    shared_pair.redis.pause()
    try:
        publishing = asyncio.create_task(client.publish(group, 1))
        joining = asyncio.create_task(client.join(group))
        await until(lambda: client._core.oldest_call is not None)
        await client.close()
        with pytest.raises(Unacknowledged, match="may be there or not"):
            await publishing
        with pytest.raises(NotConnected, match="closed"):
            await joining
    finally:
        shared_pair.redis.resume()


async def test_a_cancelled_user_leaves_nothing(replica, group):
    """Whether it is cancelled while it connects, publishes or iterates."""

    async def use():
        async with connect(URL, [group], unix=replica.path) as client:
            while True:
                await client.publish(group, 1)
                await anext(client)

    for delay in (0, 0.001, 0.01, 0.05, 0.2):
        task = asyncio.create_task(use())
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert tasks_of_clients() == []


async def test_a_publication_that_takes_too_long_is_given_up(shared_pair, enter, group, monkeypatch):
    """It says that it may be there; a user's own timeout does the same, and the group goes on."""
    client = await enter(shared_pair.path)
    monkeypatch.setattr(client_module, "PUBLISH_LIMIT", 0.2)
    shared_pair.redis.pause()
    try:
        with pytest.raises(Unacknowledged, match="may be there or not"):
            await client.publish(group, 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.publish(group, 2)
    finally:
        shared_pair.redis.resume()
    monkeypatch.setattr(client_module, "PUBLISH_LIMIT", LIMIT)
    assert (await client.publish(group, 3)).offset >= 1


async def test_an_error_that_answers_nothing_is_iterated_over(replica, enter):
    """A frame that the server does not know is answered without an id."""
    client = await enter(replica.path)
    client._core._line._out.append(b'{"type":"shout"}')
    client._wake.set()
    event = await anext(client)
    assert isinstance(event, Refused)
    assert isinstance(event.error, errors.UnknownType)
