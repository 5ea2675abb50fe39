"""What the hub asks of a layer (FanoutLayer): each publication once and in order, to who is subscribed."""

import asyncio
import json

import pytest

from fanout.layers import FanoutLayer
from tests.fanout.layers.contract.events import GROUPS, MANY, event


def test_the_layer_can_feed_a_hub(layer):
    """Both layers are FanoutLayers."""
    assert isinstance(layer, FanoutLayer)


async def test_a_subscription_is_in_force_when_subscribe_returns(layer, other, tools):
    """What any process publishes right after subscribe is delivered."""
    for group in GROUPS:
        inbox = tools.Inbox()
        await layer.subscribe(group, inbox)
        await other.publish(group, b'"first"')
        publication = await inbox.next()
        assert (publication.group, publication.data) == (group, b'"first"')


async def test_publications_come_in_the_publishers_order(layer, other, tools):
    """Every receiver in every process gets each publication of a publisher once, in its order."""
    inboxes = [tools.Inbox() for _ in range(3)]
    for where, inbox in zip((layer, layer, other), inboxes, strict=True):
        await where.subscribe("chat.lobby", inbox)
    sent = [b"%d" % number for number in range(MANY)]
    for data in sent[: MANY // 2]:
        await other.publish("chat.lobby", data)
    await asyncio.gather(*(other.publish("chat.lobby", data) for data in sent[MANY // 2 :]))
    await other.publish("chat.lobby", b'"end"')
    for inbox in inboxes:
        assert await inbox.data(MANY + 1) == [*sent, b'"end"']
        assert inbox.empty


async def test_groups_keep_their_publications_to_themselves(layer, tools):
    """A receiver gets the publications of its groups and no other's."""
    inboxes = {group: tools.Inbox() for group in GROUPS}
    for group, inbox in inboxes.items():
        await layer.subscribe(group, inbox)
    for text in ("first", "second"):
        for group in GROUPS:
            await layer.publish(group, json.dumps([group, text]).encode())
    for group, inbox in inboxes.items():
        assert [json.loads(data) for data in await inbox.data(2)] == [[group, "first"], [group, "second"]]
        assert inbox.empty


async def test_one_receiver_may_be_in_several_groups(layer, tools):
    """A receiver knows by the publication's group which one it is, and leaves one without the other."""
    inbox = tools.Inbox()
    await layer.subscribe("chat.one", inbox)
    await layer.subscribe("chat.two", inbox)
    await layer.publish("chat.one", b"1")
    assert (await inbox.next()).group == "chat.one"
    layer.unsubscribe("chat.one", inbox)
    await layer.publish("chat.one", b"2")
    await layer.publish("chat.two", b"3")
    assert (await inbox.next()).group == "chat.two"


async def test_unsubscribe_stops_at_once(layer, other, tools):
    """A receiver is not called after unsubscribe, not even for what is on its way; others go on."""
    leaves, stays = tools.Inbox(), tools.Inbox()
    await layer.subscribe("chat.lobby", leaves)
    await layer.subscribe("chat.lobby", stays)
    await layer.publish("chat.lobby", b"1")
    layer.unsubscribe("chat.lobby", leaves)
    calls = leaves.calls
    await other.publish("chat.lobby", b"2")
    assert await stays.data(2) == [b"1", b"2"]
    assert leaves.calls == calls


async def test_unsubscribe_of_a_stranger_does_nothing(layer, tools):
    """To unsubscribe is harmless for a receiver that is not subscribed, and when repeated."""
    inbox = tools.Inbox()
    layer.unsubscribe("chat.lobby", inbox)
    await layer.subscribe("chat.lobby", inbox)
    layer.unsubscribe("chat.nowhere", inbox)
    layer.unsubscribe("chat.lobby", inbox)
    layer.unsubscribe("chat.lobby", inbox)


async def test_a_receiver_may_come_back_at_once(layer, other, tools):
    """A subscribe right after unsubscribe is in force like the first one, once."""
    inbox = tools.Inbox()
    for number in range(20):
        await layer.subscribe("chat.lobby", inbox)
        await other.publish("chat.lobby", b"%d" % number)
        assert await inbox.data() == b"%d" % number
        layer.unsubscribe("chat.lobby", inbox)
    assert inbox.calls == 20


async def test_a_receiver_may_leave_while_it_is_called(layer, tools):
    """To unsubscribe from within the call disturbs no other receiver."""
    stays, calls = tools.Inbox(), []

    def once(publication):
        calls.append(publication.data)
        layer.unsubscribe("chat.lobby", once)

    await layer.subscribe("chat.lobby", once)
    await layer.subscribe("chat.lobby", stays)
    await layer.publish("chat.lobby", b"1")
    await layer.publish("chat.lobby", b"2")
    assert await stays.data(2) == [b"1", b"2"]
    assert calls == [b"1"]


async def test_the_publisher_is_not_called_within_its_own_call(layer, tools):
    """A receiver is never called while publish is being started: it always runs on its own."""
    inbox = tools.Inbox()
    await layer.subscribe("chat.lobby", inbox)
    publishing = layer.publish("chat.lobby", b"1")
    assert inbox.empty
    await publishing
    assert await inbox.data() == b"1"


async def test_an_event_reaches_receivers_as_a_publication(layer, other, tools):
    """What stock code sends with group_send reaches a hub as its data, without the type."""
    inbox = tools.Inbox()
    await layer.subscribe("chat.lobby", inbox)
    await other.group_send("chat.lobby", {"type": "chat.message", "message": "héllo", "number": 1})
    publication = await inbox.next()
    assert publication.group == "chat.lobby"
    assert json.loads(publication.data) == {"message": "héllo", "number": 1}


async def test_a_publication_reaches_channels_as_an_event(layer, other, tools):
    """A stock consumer in the group gets a publication as an event of type fanout.publication."""
    channel = await layer.new_channel()
    await layer.group_add("chat.lobby", channel)
    await other.publish("chat.lobby", b'{"message": "hi", "list": [1, null]}')
    assert await tools.receive(layer, channel) == {
        "type": "fanout.publication",
        "group": "chat.lobby",
        "data": {"message": "hi", "list": [1, None]},
    }


async def test_events_and_publications_keep_their_order(layer, other, tools):
    """Events and publications of one publisher arrive in its order, for channels and for receivers."""
    channel, inbox = await layer.new_channel(), tools.Inbox()
    await layer.group_add("chat.lobby", channel)
    await layer.subscribe("chat.lobby", inbox)
    for number in range(20):
        if number % 2:
            await other.publish("chat.lobby", b'{"text":%d}' % number)
        else:
            await other.group_send("chat.lobby", event(number))
    events = [await tools.receive(layer, channel) for _ in range(20)]
    assert [each.get("data", each)["text"] for each in events] == list(range(20))
    assert [json.loads(data)["text"] for data in await inbox.data(20)] == list(range(20))


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b'{ "spaces" :  [1.0, 1e3, -0] }',
        '"Grüße 你好 🎈 \\ud83d\\u0000"'.encode(),
        b'{"b":1,"a":2,"b":3}',
        b'"' + b"x" * 64 * 1024 + b'"',
    ],
    ids=["null", "spaces", "unicode", "doubled keys", "64 KiB"],
)
async def test_data_arrives_byte_for_byte(layer, other, tools, data):
    """The bytes that were published are the bytes that arrive."""
    inbox = tools.Inbox()
    await layer.subscribe("chat.lobby", inbox)
    await other.publish("chat.lobby", data)
    assert await inbox.data() == data


async def test_a_publication_says_when_it_was_published(layer, other, tools):
    """published_at does not go back from one publication of a publisher to its next."""
    inbox = tools.Inbox()
    await layer.subscribe("chat.lobby", inbox)
    await other.publish("chat.lobby", b"1")
    await other.publish("chat.lobby", b"2")
    first, second = await inbox.next(), await inbox.next()
    assert 1e9 < first.published_at <= second.published_at
