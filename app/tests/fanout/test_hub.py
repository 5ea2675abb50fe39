"""The hub on the in-memory layer: who gets what, and when a group is left."""

import asyncio

import pytest

from fanout.errors import Unavailable
from fanout.hub import Hub, get_hub
from fanout.layers import InMemoryChannelLayer
from fanout.policy import Policy
from fanout.presence import roster


class Log:
    """A socket that keeps what is written to it."""

    def __init__(self, broadcaster):
        self.broadcaster = broadcaster
        self.payloads = []


class LogBroadcaster:
    """Counts how often it is asked: once a publication, not once a socket."""

    def __init__(self):
        self.calls = 0
        self.limits = set()

    def broadcast(self, sockets, payloads, limit):
        self.calls += 1
        self.limits.add(limit)
        for socket in sockets:
            socket.payloads += payloads


class Raw:
    """The data alone, changed by a function; remembers what it was asked to encode."""

    def __init__(self, change=bytes):
        self.change = change
        self.publications = []

    def publication(self, publication):
        self.publications.append(publication)
        return self.change(publication.data)

    def reset(self, group, position, reason):
        return f"reset {reason}".encode()


raw = Raw()


@pytest.fixture
def layer():
    return InMemoryChannelLayer()


@pytest.fixture
def hub(layer):
    return Hub(layer)


@pytest.fixture
def broadcaster():
    return LogBroadcaster()


async def settled():
    """Let what is under way on the loop happen."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_publication_reaches_every_subscription_of_its_group_once(hub, broadcaster):
    """Both sockets of the group get the publication once, a socket of another group gets nothing."""
    one, two, other = (Log(broadcaster) for _ in range(3))
    await hub.join("chat.a", one, raw)
    await hub.join("chat.a", two, raw)
    await hub.join("chat.b", other, raw)
    await hub.publish("chat.a", {"message": "hi"})
    await settled()
    assert one.payloads == two.payloads == [b'{"message":"hi"}']
    assert other.payloads == []


async def test_sockets_of_one_encoder_share_one_payload(hub, broadcaster):
    """A publication is encoded once for all sockets that share an encoder, and handed on in one call."""
    counting = Raw()
    for _ in range(10):
        await hub.join("chat.a", Log(broadcaster), counting)
    await hub.publish("chat.a", 1)
    await settled()
    assert len(counting.publications) == broadcaster.calls == 1
    assert broadcaster.limits == {Policy.outbox_limit}


async def test_encoders_are_kept_apart(hub, broadcaster):
    """Each socket gets the payload of the encoder that it joined with."""
    plain, loud = Log(broadcaster), Log(broadcaster)
    await hub.join("chat.a", plain, raw)
    await hub.join("chat.a", loud, Raw(bytes.upper))
    await hub.publish("chat.a", "hi")
    await settled()
    assert (plain.payloads, loud.payloads) == ([b'"hi"'], [b'"HI"'])


async def test_nothing_is_delivered_after_leaving(hub, broadcaster):
    """A subscription that has ended gets nothing more; ending it twice is harmless."""
    socket = Log(broadcaster)
    subscription = (await hub.join("chat.a", socket, raw)).subscription
    hub.leave(subscription)
    hub.leave(subscription)
    await hub.publish("chat.a", 1)
    await settled()
    assert socket.payloads == []
    assert hub.groups == {}


async def test_the_layer_is_joined_once_and_left_with_the_last(hub, layer, broadcaster):
    """The process has one membership a group, from the first subscription to the last."""
    first = await hub.join("any.a", Log(broadcaster), raw)
    second = await hub.join("any.a", Log(broadcaster), raw)
    assert len(layer._receivers["any.a"]) == 1
    hub.leave(first.subscription)
    assert len(layer._receivers["any.a"]) == 1
    hub.leave(second.subscription)
    assert "any.a" not in layer._receivers


async def test_a_group_with_presence_is_left_a_moment_after_the_last(hub, layer, broadcaster, monkeypatch):
    """Who comes back within the moment finds the membership as it was; then it is left."""
    monkeypatch.setattr(roster, "INTERVAL", 0.1)
    for _ in range(3):
        entry = await hub.join("chat.a", Log(broadcaster), raw)
        members = hub._members["chat.a"]
        hub.leave(entry.subscription)
        assert hub.groups == {}
        assert hub._members["chat.a"] is members
    async with asyncio.timeout(5):
        while "chat.a" in layer._receivers:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def test_publications_keep_their_order(hub, broadcaster):
    """A publisher's publications arrive in the order in which they were made."""
    socket = Log(broadcaster)
    await hub.join("chat.a", socket, raw)
    for number in range(200):
        await hub.publish("chat.a", number)
    await settled()
    hub._members["chat.a"].delivery.flush()
    assert [int(payload) for payload in socket.payloads] == list(range(200))


class SlowLayer(InMemoryChannelLayer):
    """Confirms a subscription when it is told to."""

    def __init__(self):
        super().__init__()
        self.confirm = asyncio.Event()
        self.error = None

    async def subscribe(self, group, receiver, on_part=None):
        await self.confirm.wait()
        if self.error is not None:
            raise self.error
        await super().subscribe(group, receiver, on_part)


async def test_join_waits_for_the_layers_confirmation(broadcaster):
    """Nobody has joined before the layer has confirmed the membership; then all who waited have."""
    layer = SlowLayer()
    hub = Hub(layer)
    joins = [asyncio.create_task(hub.join("chat.a", Log(broadcaster), raw)) for _ in range(3)]
    await settled()
    assert not any(join.done() for join in joins)
    layer.confirm.set()
    await asyncio.gather(*joins)
    assert hub.groups == {"chat.a": 3}


async def test_a_cancelled_join_leaves_the_others_alone(broadcaster):
    """A client that goes while it joins neither joins nor takes the others' membership along."""
    layer = SlowLayer()
    hub = Hub(layer)
    gone, stays = (asyncio.create_task(hub.join("chat.a", Log(broadcaster), raw)) for _ in range(2))
    await settled()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    layer.confirm.set()
    await stays
    assert hub.groups == {"chat.a": 1}


async def test_the_last_cancelled_join_gives_the_membership_up(broadcaster):
    """When all who wanted to join are gone, the process does not stay in the group."""
    layer = SlowLayer()
    hub = Hub(layer)
    gone = asyncio.create_task(hub.join("chat.a", Log(broadcaster), raw))
    await settled()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    layer.confirm.set()
    await settled()
    assert hub.groups == {}
    assert "chat.a" not in layer._receivers


async def test_a_join_that_the_layer_refuses_can_be_tried_again(broadcaster):
    """Unavailable is told to all who wait; the next join asks the layer anew."""
    layer = SlowLayer()
    layer.confirm.set()
    layer.error = Unavailable("Redis is away")
    hub = Hub(layer)
    results = await asyncio.gather(
        *(hub.join("chat.a", Log(broadcaster), raw) for _ in range(2)), return_exceptions=True
    )
    assert [type(result) for result in results] == [Unavailable, Unavailable]
    layer.error = None
    await hub.join("chat.a", Log(broadcaster), raw)
    assert hub.groups == {"chat.a": 1}


async def test_there_is_one_hub_a_loop(settings):
    """Everything in a process that asks for the hub gets the same one."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "fanout.layers.InMemoryChannelLayer"}}
    assert get_hub() is get_hub()


async def test_a_stock_layer_is_refused_with_the_remedy(settings):
    """A hub on Channels' own layer is refused by a sentence that names the right BACKEND."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    with pytest.raises(TypeError, match=r"fanout\.layers\.RedisChannelLayer"):
        get_hub()
