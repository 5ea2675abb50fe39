"""Who is in a group: the pure part, and what clients of two processes are told."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout import policy
from fanout.errors import Unavailable
from fanout.hub import Hub
from fanout.layers import InMemoryChannelLayer, RedisChannelLayer
from fanout.policy import Policy
from fanout.presence import heartbeat, roster, view
from fanout.presence.view import Part, View, difference, merge

LIMIT = 15
WORST = heartbeat.STALE_AFTER + (heartbeat.DOUBTS + 1) * heartbeat.BEAT_EVERY + roster.INTERVAL
"""Seconds until a death is told, by the true constants."""
GROUP = "room.a"


def part(process, first, size, more):
    """A part of members with consecutive numbers, and `more` that are not named."""
    members = {f"{process}-{number}": f"info {number}" for number in range(first, first + size)}
    return Part(process, 1, size + more, members)


parts = st.lists(
    st.builds(part, st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 80), st.sampled_from([0, 0, 0, 1, 500])),
    max_size=3,
    unique_by=lambda part: part.process,
)


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


@given(st.lists(parts, min_size=1, max_size=6))
def test_changes_lead_from_one_view_to_the_next(states):
    """A client that was told every change knows the count, and every member where all are named."""
    views = [merge(state) for state in states]
    client = Known(views[0])
    for before, after in pairwise(views):
        client.told(difference(before, after))
        assert client.count == after.count
        if after.whole:
            assert client.members == after.members


@given(parts)
def test_nothing_is_told_when_nothing_changed(state):
    """The same view twice is no change."""
    assert difference(merge(state), merge(state)) is None


@given(parts, parts)
def test_a_change_is_bounded(before, after):
    """However many come or go, no frame names more than twice the limit."""
    change = difference(merge(before), merge(after))
    if change is not None:
        assert len(change.join) + len(change.leave) + len(change.members or ()) <= 2 * view.MEMBERS_LIMIT


def test_a_large_group_names_nobody_more():
    """Past the limit a change is a count; when it is small again all are named anew."""
    large = View(101, {str(number): None for number in range(100)})
    small = View(1, {"7": None})
    assert difference(small, large) == view.Change(101)
    assert difference(large, View(102, large.members)) == view.Change(102)
    assert difference(large, small) == view.Change(1, members={"7": None})


# -- clients of two processes ---------------------------------------------------------------------------


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


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """All intervals are a tenth, in proportion."""
    monkeypatch.setitem(policy._policies, Room.kind, Room())
    monkeypatch.setattr(roster, "INTERVAL", 0.1)
    monkeypatch.setattr(heartbeat, "BEAT_EVERY", 0.2)
    monkeypatch.setattr(heartbeat, "AGAIN_AFTER", 0.05)
    monkeypatch.setattr(heartbeat, "STALE_AFTER", 0.6)


@pytest.fixture(params=["memory", "redis"])
async def hubs(request):
    """Two hubs as of two replicas; in memory they share the layer."""
    if request.param == "memory":
        layers = [InMemoryChannelLayer()] * 2
    else:
        url, prefix = request.getfixturevalue("redis_server").url, request.getfixturevalue("layer_prefix")
        layers = [RedisChannelLayer(hosts=[url], prefix=prefix) for _ in range(2)]
    made = [Hub(layer) for layer in layers]
    yield made
    for hub in made:
        await hub.aclose()
    for layer in layers:
        await layer.flush()


@pytest.fixture
async def replicas(own_redis):
    """Two hubs on a Redis that the test may break."""
    layers = [RedisChannelLayer(hosts=[own_redis.url]) for _ in range(2)]
    made = [Hub(layer) for layer in layers]
    yield made
    for hub in made:
        await hub.aclose()
    for layer in layers:
        await layer.flush()


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


async def test_a_process_that_dies_without_a_word_is_gone_in_time(hubs):
    """It beats no more, and within the promised time (here a tenth) its members are gone; the living stay."""
    ada = await Client().join(hubs[0], "Ada", watch=True)
    await Client().join(hubs[1], "Bob")
    await ada.sees("Ada", "Bob")
    hubs[1]._heartbeat.stop()
    began = asyncio.get_running_loop().time()
    await ada.sees("Ada")
    assert asyncio.get_running_loop().time() - began > heartbeat.STALE_AFTER - heartbeat.BEAT_EVERY


def test_the_constants_keep_the_promise():
    """A process that dies without a word is gone within 15 s."""
    assert WORST <= 15


async def test_all_who_die_at_once_are_gone(hubs):
    """A machine takes several processes with it."""
    ada = await Client().join(hubs[0], "Ada", watch=True)
    dying = [hubs[1], *(Hub(hubs[1]._layer) for _ in range(3))]
    for number, hub in enumerate(dying):
        await Client().join(hub, f"Bob {number}")
    await ada.sees("Ada", *(f"Bob {number}" for number in range(4)))
    for hub in dying:
        hub._heartbeat.stop()
    await ada.sees("Ada")
    for hub in dying:
        await hub.aclose()


async def test_a_process_that_only_stood_still_is_there_again(hubs):
    """Who beats again after it was given up is seen again, without having joined anew."""
    ada = await Client().join(hubs[0], "Ada", watch=True)
    await Client().join(hubs[1], "Bob")
    await ada.sees("Ada", "Bob")
    hubs[1]._heartbeat.stop()
    await ada.sees("Ada")
    hubs[1]._heartbeat._task = None
    hubs[1]._heartbeat.start()
    await ada.sees("Ada", "Bob")


async def test_a_dead_process_is_not_shown_to_newcomers(hubs):
    """What a dead process had said is still kept for a while, but nobody who comes later is told of it."""
    await Client().join(hubs[0], "Ada")
    bob = await Client().join(hubs[1], "Bob", watch=True)
    await bob.sees("Ada", "Bob")
    hubs[0]._heartbeat.stop()
    await bob.sees("Bob")
    later = Hub(hubs[1]._layer)
    cid = await Client().join(later, "Cid", watch=True)
    assert cid.infos == ["Bob"]
    kept = {part.process for part in await later._layer.presence(GROUP)}
    assert hubs[0]._heartbeat.process not in kept, "what the dead has said is not kept for ever"
    await later.aclose()


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
    kept = own_redis.cli.hlen("asgi__presence__{room.a}")
    assert kept == 2


async def test_who_announces_itself_has_a_beat(replicas, own_redis):
    """A Redis that has forgotten everything is told of a part when its process is on record, or others drop it."""
    ada = await Client().join(replicas[0], "Ada", watch=True)
    await Client().join(replicas[1], "Bob")
    await ada.sees("Ada", "Bob")
    for hub in replicas:
        hub._heartbeat.stop()
    own_redis.cli.flushall()
    await Client().join(replicas[1], "Cid")
    async with asyncio.timeout(LIMIT):
        while not own_redis.cli.hlen(f"asgi__presence__{{{GROUP}}}"):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    await replicas[0]._members[GROUP].roster._reload()
    assert [sorted(part.members.values()) for part in await replicas[0]._layer.presence(GROUP)] == [["Bob", "Cid"]]


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


async def test_processes_that_are_gone_for_long_are_forgotten(monkeypatch):
    """Replicas come and go for months: a heartbeat knows those of the last minute."""
    monkeypatch.setattr(heartbeat, "BEAT_EVERY", 0)
    layer, gone = InMemoryChannelLayer(), []
    beating = heartbeat.Heartbeat(layer, gone.append, lambda: None)
    for number in range(20):
        beating._judge(frozenset({beating.process, f"old {number}"}))
    for _ in range(heartbeat.FORGOTTEN):
        beating._judge(frozenset({beating.process}))
    assert beating._known == {beating.process}
    assert not beating._doubts
    assert frozenset().union(*gone) == {f"old {number}" for number in range(20)}


@pytest.mark.parametrize("request_name", ["memory", "redis_server"])
async def test_a_layer_forgets_a_hub_that_is_closed(request, request_name):
    """Hubs that come and go, as in tests or with event loops, leave nothing with the layer."""
    own = request_name == "memory"
    layer = InMemoryChannelLayer() if own else RedisChannelLayer(hosts=[request.getfixturevalue(request_name).url])
    for _ in range(3):
        hub = Hub(layer)
        await Client().join(hub, "x")
        await hub.aclose()
        await hub.aclose()
    assert own or not layer._get_layer().callbacks
    await layer.flush()
