"""Who is in a group, as clients of two processes are told."""

import asyncio

from fanout.errors import Unavailable
from fanout.presence import roster, view
from tests.fanout.presence.watchers import GROUP, LIMIT, Client
from tests.redis_servers import eventually


async def test_members_of_all_processes_are_seen_everywhere(hubs):
    """Who watches sees everybody, itself too, wherever they are; who leaves is gone."""
    ada = await Client().join(hubs[0], "Ada", watch=True)
    bob = await Client().join(hubs[1], "Bob", watch=True)
    cid = await Client().join(hubs[1], "Cid")
    for client in (ada, bob):
        await client.sees("Ada", "Bob", "Cid")
    assert ada.entry.subscription.member in bob.known.members
    hubs[1].leave(cid.entry.subscription)
    for client in (ada, bob):
        await client.sees("Ada", "Bob")


async def test_a_newcomer_is_told_who_is_there(hubs):
    """The view that a join returns has everybody who has been told to the others."""
    ada = await Client().join(hubs[0], "Ada", watch=True)
    await Client().join(hubs[0], "Bob")
    await ada.sees("Ada", "Bob")
    newcomer = await Client().join(hubs[1], "Cid", watch=True)
    assert newcomer.infos == ["Ada", "Bob"]
    await newcomer.sees("Ada", "Bob", "Cid")


async def test_the_last_of_a_process_who_leaves_is_gone_elsewhere(hubs):
    """A process that leaves the group altogether tells so; coming back counts anew."""
    ada = await Client().join(hubs[0], "Ada", watch=True)
    bob = await Client().join(hubs[1], "Bob")
    await ada.sees("Ada", "Bob")
    hubs[1].leave(bob.entry.subscription)
    await bob.join(hubs[1], "Bob again")
    await ada.sees("Ada", "Bob again")
    hubs[1].leave(bob.entry.subscription)
    await ada.sees("Ada")


async def test_a_mass_join_is_no_storm(hubs):
    """1,000 clients join at once: each watcher gets a few bounded frames, and the count is right in the end."""
    watcher = await Client().join(hubs[0], "watcher", watch=True)
    began, clients = asyncio.get_running_loop().time(), [Client() for _ in range(1000)]
    await asyncio.gather(*(client.join(hubs[n % 2], n, watch=n < 50) for n, client in enumerate(clients)))
    await watcher.until(lambda client: client.known.count == 1001)
    intervals = (asyncio.get_running_loop().time() - began) / roster.INTERVAL
    assert watcher.frames <= 2 * intervals + 2
    assert len(watcher.known.members) <= view.MEMBERS_LIMIT
    for client in clients:
        hubs[clients.index(client) % 2].leave(client.entry.subscription)
    await watcher.sees("watcher")


async def test_coming_and_going_all_the_time_is_no_storm(hubs):
    """One client that joins and leaves without end makes its process speak once an interval; the last word is right."""
    watcher = await Client().join(hubs[0], "watcher", watch=True)
    layer, told = hubs[1]._layer, []
    announce, restless = layer.announce, Client()
    own = hubs[1]._heartbeat.process

    async def counted(group, part):
        told.extend([part] if part.process == own else [])
        await announce(group, part)

    layer.announce = counted
    clock = asyncio.get_running_loop().time
    began = clock()
    while clock() - began < 5 * roster.INTERVAL:
        await restless.join(hubs[1], "restless")
        hubs[1].leave(restless.entry.subscription)
        await asyncio.sleep(0.005)
    assert len(told) <= 2 + (clock() - began) / roster.INTERVAL
    await watcher.sees("watcher")
    async with asyncio.timeout(LIMIT):
        while hubs[1]._members:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    assert told[-1].count == 0
    assert len(told) <= 2 + (clock() - began) / roster.INTERVAL


async def test_presence_survives_a_redis_that_forgets(replicas, own_redis):
    """After a restart without data every process says anew who is there; nobody was gone meanwhile."""
    ada = await Client().join(replicas[0], "Ada", watch=True)
    bob = await Client().join(replicas[1], "Bob", watch=True)
    await ada.sees("Ada", "Bob")
    await bob.sees("Ada", "Bob")
    frames = ada.frames
    await asyncio.to_thread(own_redis.restart)
    cid = Client()
    async with asyncio.timeout(LIMIT):
        while cid.known is None:
            try:
                await cid.join(replicas[1], "Cid", watch=True)
            except Unavailable:
                await asyncio.sleep(0.02)
    for client in (ada, bob, cid):
        await client.sees("Ada", "Bob", "Cid")
    assert ada.frames == frames + 1
    # One process may have heard of the other before both are in Redis.
    both = "asgi__presence__{room.a}"
    await asyncio.to_thread(eventually, lambda: own_redis.cli.hlen(both) == 2, "both have told Redis")


async def test_who_left_while_redis_was_away_is_gone_when_it_is_back(replicas, own_redis):
    """A process that leaves the group during an outage says so as soon as it can."""
    ada = await Client().join(replicas[0], "Ada", watch=True)
    bob = await Client().join(replicas[1], "Bob")
    await ada.sees("Ada", "Bob")
    own_redis.cli.save()
    own_redis.stop()
    replicas[1].leave(bob.entry.subscription)
    await asyncio.to_thread(own_redis.start)
    await ada.sees("Ada")


async def test_closing_a_hub_says_its_last_words(hubs):
    """When a process ends as planned its members are gone at once, not after the heartbeat's time."""
    ada = await Client().join(hubs[0], "Ada", watch=True)
    bob = await Client().join(hubs[1], "Bob")
    await ada.sees("Ada", "Bob")
    hubs[1].leave(bob.entry.subscription)
    await hubs[1].aclose()
    assert sorted(part.count for part in await hubs[0]._layer.presence(GROUP)) == [0, 1]
