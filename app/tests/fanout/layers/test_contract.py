"""One contract for both layers: Channels' documented behaviour, and what the hub asks beside it."""

import asyncio
import contextlib
import itertools
import json
import threading

import pytest
from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull

from fanout.history import READ_BYTES, History
from fanout.layers import FanoutLayer, InMemoryChannelLayer
from fanout.positions import Position
from fanout.presence.view import Part
from tests.busy import slowed

MANY = 200
SOON = 2.5
"""Seconds: well under the limit of a wait, at which a loop wakes by itself."""
GROUPS = [f"chat.room-{number}" for number in range(12)]
"""Enough that two hosts get some each."""


@contextlib.asynccontextmanager
async def in_a_thread(method, *arguments):
    """Call a method of the layer as synchronous code does. Nothing but the layer wakes this loop meanwhile."""
    asleep = threading.Event()

    def call() -> None:
        asleep.wait()
        async_to_sync(method)(*arguments)

    thread = threading.Thread(target=call)
    thread.start()
    loop = asyncio.get_running_loop()
    loop.call_soon(asleep.set)  # the last that it does before it waits
    began = loop.time()
    try:
        yield
        assert loop.time() - began < SOON * slowed(), "it took a timer to wake the consumer's loop"
    finally:
        await asyncio.to_thread(thread.join)


def event(text="hello", **more):
    return {"type": "test.message", "text": text, **more}


class TestChannels:
    """Channels' own API."""

    async def test_a_new_channel_receives_what_is_sent_to_it(self, layer, tools):
        """What is sent to a new channel is received from it, whole."""
        channel = await layer.new_channel()
        message = event("Grüße, 你好 🎈", number=7, flag=True, nothing=None, nested={"list": [1, 2.5, "x"]})
        await layer.send(channel, message)
        assert await tools.receive(layer, channel) == message

    async def test_a_channel_keeps_the_order(self, layer, tools):
        """Messages of one sender are received in the order in which they were sent."""
        channel = await layer.new_channel()
        for number in range(50):
            await layer.send(channel, event(number))
        assert [(await tools.receive(layer, channel))["text"] for _ in range(50)] == list(range(50))

    async def test_new_channels_have_different_names(self, layer):
        """No two new channels share a name; each is a valid name with the prefix that was asked for."""
        names = [await layer.new_channel() for _ in range(MANY)]
        assert len(set(names)) == MANY
        assert "mine." in await layer.new_channel("mine.")
        rules = InMemoryChannelLayer()
        assert all(rules.require_valid_channel_name(name) for name in names)

    async def test_channels_do_not_hear_each_other(self, layer, tools):
        """A message reaches its own channel and no other."""
        first, second = await layer.new_channel(), await layer.new_channel()
        await layer.send(first, event("for the first"))
        await layer.send(second, event("for the second"))
        assert (await tools.receive(layer, second))["text"] == "for the second"
        assert (await tools.receive(layer, first))["text"] == "for the first"

    async def test_another_process_sends_to_a_channel(self, layer, other, tools):
        """A channel of one process receives what another sends to its name, on whichever host."""
        for _ in range(8):
            channel = await layer.new_channel()
            await other.send(channel, event(channel))
            assert (await tools.receive(layer, channel))["text"] == channel

    async def test_a_message_is_the_receivers_own(self, layer, tools):
        """What a receiver does to a message, another receiver of it does not see."""
        first, second = await layer.new_channel(), await layer.new_channel()
        for channel in (first, second):
            await layer.group_add("chat.lobby", channel)
        await layer.group_send("chat.lobby", event(items=[1]))
        (await tools.receive(layer, first))["items"].append(2)
        assert (await tools.receive(layer, second))["items"] == [1]

    @pytest.mark.parametrize("kind", ["specific", "general"])
    async def test_a_cancelled_receive_leaves_nothing_behind(self, layer, tools, kind):
        """A channel whose receiver was cancelled is gone, however early that was."""
        channel = await layer.new_channel() if kind == "specific" else "general"
        await tools.cancelled(await tools.begun(layer.receive(channel)))
        assert not layer.channels

    async def test_a_cancelled_channel_can_be_received_from_again(self, layer, tools):
        """A receive with a timeout, as tests use it, does not end the channel for good."""
        channel = await layer.new_channel()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(layer.receive(channel), 0.01)
        waiting = await tools.begun(tools.receive(layer, channel))
        await layer.send(channel, event("again"))
        assert (await waiting)["text"] == "again"


class TestGeneralChannels:
    """`send` to a name without "!": as to a worker, Channels' `runworker`."""

    async def test_a_message_reaches_who_waits(self, layer, other, tools):
        """A receiver that waits gets what another process sends."""
        waiting = await tools.begun(tools.receive(layer, "thumbnails"))
        await other.send("thumbnails", event("work"))
        assert await waiting == event("work")

    async def test_a_message_waits_for_its_receiver(self, layer, other, tools):
        """What is sent while nobody receives is there for who comes later, in order."""
        for number in range(5):
            await other.send("thumbnails", event(number))
        assert [(await tools.receive(layer, "thumbnails"))["text"] for _ in range(5)] == list(range(5))

    async def test_a_message_reaches_exactly_one(self, make_layer, tools):
        """Of three receivers each gets some of the messages; together they get each one once."""
        got = {number: [] for number in range(3)}
        complete = asyncio.Event()

        async def work(number, layer):
            while True:
                got[number].append((await layer.receive("thumbnails"))["text"])
                if sum(map(len, got.values())) >= MANY:
                    complete.set()
                await asyncio.sleep(0)  # in memory, receiving what is there waits for nothing

        workers = [await tools.begun(work(number, make_layer(capacity=MANY))) for number in got]
        sender = make_layer()
        for number in range(MANY):
            await sender.send("thumbnails", event(number))
        async with asyncio.timeout(10):
            await complete.wait()
        for worker in workers:
            await tools.cancelled(worker)
        assert sorted(itertools.chain(*got.values())) == list(range(MANY))
        assert all(got.values()), got

    async def test_channels_keep_their_messages_to_themselves(self, layer, other, tools):
        """Each general channel, on whichever host, has its own queue."""
        names = [f"worker-{number}" for number in range(8)]
        for name in names:
            await other.send(name, event(name))
        for name in reversed(names):
            assert (await tools.receive(layer, name))["text"] == name

    async def test_a_receiver_that_is_cancelled_loses_nothing(self, layer, other, tools):
        """Whenever a receive is cancelled, every message is received once, by it or by a later one, in order."""
        got, sent = [], 0
        for steps in itertools.chain(*(range(25) for _ in range(4))):
            await other.send("thumbnails", event(sent))
            sent += 1
            receiving = asyncio.create_task(layer.receive("thumbnails"))
            for _ in range(steps):
                await asyncio.sleep(0.0002)
            await tools.cancelled(receiving)
            if not receiving.cancelled():
                got.append(receiving.result()["text"])
            while sent - len(got) > 20:
                got.append((await tools.receive(layer, "thumbnails"))["text"])
        while len(got) < sent:
            got.append((await tools.receive(layer, "thumbnails"))["text"])
        assert got == list(range(sent))

    async def test_a_cancelled_receiver_leaves_its_turn_to_another(self, make_layer, tools):
        """A message that wakes a receiver in the moment of its cancellation goes to one that still waits."""
        leaves, stays, sender = make_layer(), make_layer(), make_layer()
        for number in range(20):
            first = await tools.begun(leaves.receive("thumbnails"))
            second = await tools.begun(tools.receive(stays, "thumbnails"))
            sending = await tools.begun(sender.send("thumbnails", event(number)))
            await asyncio.sleep(0.0002 * number)
            await tools.cancelled(first)
            await sending
            if first.cancelled():
                assert (await second)["text"] == number
            else:
                assert first.result()["text"] == number
                await tools.cancelled(second)

    async def test_a_full_channel_says_so(self, make_layer, tools):
        """Over its capacity the sender gets ChannelFull; what waits is kept, and there is room again afterwards."""
        layer = make_layer(capacity=3, channel_capacity={"big-*": 5})
        for name, capacity in (("small", 3), ("big-one", 5)):
            for number in range(capacity):
                await layer.send(name, event(number))
            with pytest.raises(ChannelFull, match=f"{capacity} messages wait in {name}"):
                await layer.send(name, event("too many"))
            assert (await tools.receive(layer, name))["text"] == 0
            await layer.send(name, event(capacity))
            received = [(await tools.receive(layer, name))["text"] for _ in range(capacity)]
            assert received == list(range(1, capacity + 1))

    async def test_a_message_expires(self, make_layer, tools):
        """What waits longer than `expiry` is not delivered and takes no room."""
        layer = make_layer(capacity=2, expiry=0.5)
        await layer.send("thumbnails", event("old"))
        await layer.send("thumbnails", event("old too"))
        await asyncio.sleep(0.6)
        await layer.send("thumbnails", event("new"))
        assert (await tools.receive(layer, "thumbnails"))["text"] == "new"

    async def test_a_message_expires_while_it_waits_alone(self, make_layer, tools):
        """A receiver that comes too late gets the next message, not the expired one."""
        layer = make_layer(expiry=0.5)
        await layer.send("thumbnails", event("old"))
        await asyncio.sleep(0.6)
        waiting = await tools.begun(tools.receive(layer, "thumbnails"))
        await layer.send("thumbnails", event("new"))
        assert (await waiting)["text"] == "new"

    async def test_several_may_wait_in_one_process(self, layer, other, tools):
        """Receivers of one process on one channel get one message each."""
        waiting = [await tools.begun(tools.receive(layer, "thumbnails")) for _ in range(5)]
        for number in range(5):
            await other.send("thumbnails", event(number))
        assert sorted([(await each)["text"] for each in waiting]) == list(range(5))

    async def test_a_message_is_the_receivers_own(self, layer, tools):
        """What the sender does to a message afterwards changes nothing."""
        message = event(items=[1])
        await layer.send("thumbnails", message)
        message["items"].append(2)
        assert (await tools.receive(layer, "thumbnails"))["items"] == [1]

    async def test_a_thread_reaches_a_worker(self, layer, tools):
        """async_to_sync(send) in a thread, as in a view, reaches a receiver that waits on another event loop."""
        waiting = await tools.begun(tools.receive(layer, "thumbnails"))
        async with in_a_thread(layer.send, "thumbnails", event("from a view")):
            assert (await waiting)["text"] == "from a view"

    @pytest.mark.parametrize("name", ["", "with space", "sl/ash", "x" * 100])
    async def test_a_bad_name_is_refused(self, layer, name):
        """A message never waits under a name that nobody may receive from."""
        for call in (layer.send(name, event()), layer.receive(name)):
            with pytest.raises(TypeError, match="Channel name"):
                await call


class TestGroups:
    """Channels' groups."""

    async def test_members_get_what_is_sent_to_their_group(self, layer, other, tools):
        """Every channel in the group, of every process, gets the event once; one that left does not."""
        stays, leaves, elsewhere = await layer.new_channel(), await layer.new_channel(), await other.new_channel()
        await layer.group_add("chat.lobby", stays)
        await layer.group_add("chat.lobby", leaves)
        await other.group_add("chat.lobby", elsewhere)
        await layer.group_discard("chat.lobby", leaves)
        await layer.group_send("chat.lobby", event("to the group"))
        assert await tools.receive(layer, stays) == event("to the group")
        assert await tools.receive(other, elsewhere) == event("to the group")
        for channel in (stays, leaves):
            await layer.send(channel, event("next"))
            assert (await tools.receive(layer, channel))["text"] == "next"

    async def test_a_membership_is_in_force_when_group_add_returns(self, layer, other, tools):
        """What another process sends right after group_add arrives."""
        for group in GROUPS:
            channel = await layer.new_channel()
            await layer.group_add(group, channel)
            await other.group_send(group, event(group))
            assert (await tools.receive(layer, channel))["text"] == group

    async def test_groups_do_not_hear_each_other(self, layer, tools):
        """An event reaches its own group and no other."""
        channels = {}
        for group in GROUPS:
            channels[group] = await layer.new_channel()
            await layer.group_add(group, channels[group])
        for group in GROUPS:
            await layer.group_send(group, event(group))
        for group, channel in channels.items():
            assert (await tools.receive(layer, channel))["text"] == group
            await layer.send(channel, event("next"))
            assert (await tools.receive(layer, channel))["text"] == "next"

    async def test_a_group_keeps_the_order(self, layer, other, tools):
        """Events of one sender arrive in the order in which they were sent."""
        channel = await layer.new_channel()
        await layer.group_add("chat.lobby", channel)
        for number in range(50):
            await other.group_send("chat.lobby", event(number))
        assert [(await tools.receive(layer, channel))["text"] for _ in range(50)] == list(range(50))

    async def test_added_twice_is_added_once(self, layer, tools):
        """A channel that is added again gets each event once, and one discard ends it."""
        channel = await layer.new_channel()
        await layer.group_add("chat.lobby", channel)
        await layer.group_add("chat.lobby", channel)
        await layer.group_send("chat.lobby", event("once"))
        await layer.send(channel, event("next"))
        assert {(await tools.receive(layer, channel))["text"] for _ in range(2)} == {"once", "next"}
        await layer.group_discard("chat.lobby", channel)
        inbox = tools.Inbox()
        await layer.subscribe("chat.lobby", inbox)
        await layer.group_send("chat.lobby", event("not any more"))
        await inbox.next()
        await layer.send(channel, event("last"))
        assert (await tools.receive(layer, channel))["text"] == "last"

    async def test_added_again_after_a_discard(self, layer, other, tools):
        """A channel that left and came back at once is in the group."""
        channel = await layer.new_channel()
        for round_ in range(20):
            await layer.group_add("chat.lobby", channel)
            await other.group_send("chat.lobby", event(round_))
            assert (await tools.receive(layer, channel))["text"] == round_
            await layer.group_discard("chat.lobby", channel)

    async def test_to_discard_a_stranger_does_nothing(self, layer, tools):
        """group_discard of a channel that is not in the group, or of a group that is not there, is harmless."""
        member, stranger = await layer.new_channel(), await layer.new_channel()
        await layer.group_discard("chat.nowhere", stranger)
        await layer.group_add("chat.lobby", member)
        await layer.group_discard("chat.lobby", stranger)
        await layer.group_send("chat.lobby", event())
        assert await tools.receive(layer, member) == event()

    async def test_to_send_to_an_empty_group_does_nothing(self, layer):
        """group_send to a group without members is harmless."""
        await layer.group_send("chat.nowhere", event())

    async def test_a_vanished_channel_is_forgotten(self, layer, tools):
        """A channel whose receive was cancelled is in no group any more."""
        gone, stays = await layer.new_channel(), await layer.new_channel()
        await layer.group_add("chat.lobby", gone)
        await layer.group_add("chat.lobby", stays)
        await tools.cancelled(await tools.begun(layer.receive(gone)))
        await layer.group_send("chat.lobby", event("missed"))
        await tools.receive(layer, stays)
        assert gone not in layer.channels
        waiting = await tools.begun(tools.receive(layer, gone))
        await layer.group_send("chat.lobby", event("missed too"))
        await tools.receive(layer, stays)
        await layer.send(gone, event("direct"))
        assert (await waiting)["text"] == "direct"

    async def test_a_thread_reaches_a_consumer(self, layer, tools):
        """async_to_sync(group_send) in a thread reaches a consumer that waits on another event loop."""
        channel = await layer.new_channel()
        await layer.group_add("chat.lobby", channel)
        waiting = await tools.begun(tools.receive(layer, channel))
        async with in_a_thread(layer.group_send, "chat.lobby", event("from a thread")):
            assert (await waiting)["text"] == "from a thread"

    async def test_a_thread_reaches_a_receiver(self, layer, tools):
        """async_to_sync(publish) in a thread reaches a receiver, on the receiver's own event loop."""
        inbox, loops = tools.Inbox(), []
        await layer.subscribe("chat.lobby", lambda _: loops.append(asyncio.get_running_loop()))
        await layer.subscribe("chat.lobby", inbox)
        async with in_a_thread(layer.publish, "chat.lobby", b"1"):
            assert await inbox.data() == b"1"
        assert loops == [asyncio.get_running_loop()]


class TestNames:
    """Channels' naming rule, where the layer enforces it: channels_redis' pub/sub layer never did."""

    @pytest.fixture
    def layer(self):
        return InMemoryChannelLayer()

    @pytest.mark.parametrize("name", ["", "with space", "sl/ash", "ümlaut", "x" * 100, 7, None])
    async def test_a_bad_group_name_is_refused(self, layer, tools, name):
        """Every method that takes a group refuses a name outside the rule."""
        channel = await layer.new_channel()
        for call in (
            layer.group_add(name, channel),
            layer.group_discard(name, channel),
            layer.group_send(name, event()),
            layer.publish(name, b"{}"),
            layer.subscribe(name, tools.Inbox()),
        ):
            with pytest.raises(TypeError, match="Group name"):
                await call

    @pytest.mark.parametrize("name", ["", "with space", "x" * 100, 7])
    async def test_a_bad_channel_name_is_refused(self, layer, name):
        """Every method that takes a channel refuses a name outside the rule."""
        for call in (layer.send(name, event()), layer.receive(name), layer.group_add("chat.lobby", name)):
            with pytest.raises(TypeError, match="Channel name"):
                await call


class TestFlush:
    """The flush extension."""

    async def test_flush_makes_the_layer_like_new(self, layer, other, tools):
        """After flush nothing is subscribed, and everything works again."""
        channel, inbox = await layer.new_channel(), tools.Inbox()
        await layer.group_add("chat.lobby", channel)
        await layer.subscribe("chat.lobby", inbox)
        await layer.flush()
        assert not layer.channels
        await other.publish("chat.lobby", b"1")
        channel, later = await layer.new_channel(), tools.Inbox()
        await layer.subscribe("chat.lobby", later)
        await other.publish("chat.lobby", b"2")
        assert await later.data() == b"2"
        assert inbox.empty
        await layer.group_add("chat.lobby", channel)
        await layer.group_send("chat.lobby", event("after the flush"))
        assert (await tools.receive(layer, channel))["text"] == "after the flush"

    async def test_flush_is_harmless_on_a_new_layer(self, layer):
        """A flush of a layer that did nothing yet, twice, does nothing."""
        await layer.flush()
        await layer.flush()

    def test_the_extensions_are_named(self, layer):
        """Channels asks a layer which extensions it has: groups and flush."""

        async def extensions():
            return list(layer.extensions)

        assert async_to_sync(extensions)() == ["groups", "flush"]


class TestHub:
    """What the hub asks of a layer: FanoutLayer."""

    def test_the_layer_can_feed_a_hub(self, layer):
        """Both layers are FanoutLayers."""
        assert isinstance(layer, FanoutLayer)

    async def test_a_subscription_is_in_force_when_subscribe_returns(self, layer, other, tools):
        """What any process publishes right after subscribe is delivered."""
        for group in GROUPS:
            inbox = tools.Inbox()
            await layer.subscribe(group, inbox)
            await other.publish(group, b'"first"')
            publication = await inbox.next()
            assert (publication.group, publication.data) == (group, b'"first"')

    async def test_publications_come_in_the_publishers_order(self, layer, other, tools):
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

    async def test_groups_keep_their_publications_to_themselves(self, layer, tools):
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

    async def test_one_receiver_may_be_in_several_groups(self, layer, tools):
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

    async def test_unsubscribe_stops_at_once(self, layer, other, tools):
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

    async def test_unsubscribe_of_a_stranger_does_nothing(self, layer, tools):
        """To unsubscribe is harmless for a receiver that is not subscribed, and when repeated."""
        inbox = tools.Inbox()
        layer.unsubscribe("chat.lobby", inbox)
        await layer.subscribe("chat.lobby", inbox)
        layer.unsubscribe("chat.nowhere", inbox)
        layer.unsubscribe("chat.lobby", inbox)
        layer.unsubscribe("chat.lobby", inbox)

    async def test_a_receiver_may_come_back_at_once(self, layer, other, tools):
        """A subscribe right after unsubscribe is in force like the first one, once."""
        inbox = tools.Inbox()
        for number in range(20):
            await layer.subscribe("chat.lobby", inbox)
            await other.publish("chat.lobby", b"%d" % number)
            assert await inbox.data() == b"%d" % number
            layer.unsubscribe("chat.lobby", inbox)
        assert inbox.calls == 20

    async def test_a_receiver_may_leave_while_it_is_called(self, layer, tools):
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

    async def test_the_publisher_is_not_called_within_its_own_call(self, layer, tools):
        """A receiver is never called while publish is being started: it always runs on its own."""
        inbox = tools.Inbox()
        await layer.subscribe("chat.lobby", inbox)
        publishing = layer.publish("chat.lobby", b"1")
        assert inbox.empty
        await publishing
        assert await inbox.data() == b"1"

    async def test_an_event_reaches_receivers_as_a_publication(self, layer, other, tools):
        """What stock code sends with group_send reaches a hub as its data, without the type."""
        inbox = tools.Inbox()
        await layer.subscribe("chat.lobby", inbox)
        await other.group_send("chat.lobby", {"type": "chat.message", "message": "héllo", "number": 1})
        publication = await inbox.next()
        assert publication.group == "chat.lobby"
        assert json.loads(publication.data) == {"message": "héllo", "number": 1}

    async def test_a_publication_reaches_channels_as_an_event(self, layer, other, tools):
        """A stock consumer in the group gets a publication as an event of type fanout.publication."""
        channel = await layer.new_channel()
        await layer.group_add("chat.lobby", channel)
        await other.publish("chat.lobby", b'{"message": "hi", "list": [1, null]}')
        assert await tools.receive(layer, channel) == {
            "type": "fanout.publication",
            "group": "chat.lobby",
            "data": {"message": "hi", "list": [1, None]},
        }

    async def test_events_and_publications_keep_their_order(self, layer, other, tools):
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
    async def test_data_arrives_byte_for_byte(self, layer, other, tools, data):
        """The bytes that were published are the bytes that arrive."""
        inbox = tools.Inbox()
        await layer.subscribe("chat.lobby", inbox)
        await other.publish("chat.lobby", data)
        assert await inbox.data() == data

    async def test_a_publication_says_when_it_was_published(self, layer, other, tools):
        """published_at does not go back from one publication of a publisher to its next."""
        inbox = tools.Inbox()
        await layer.subscribe("chat.lobby", inbox)
        await other.publish("chat.lobby", b"1")
        await other.publish("chat.lobby", b"2")
        first, second = await inbox.next(), await inbox.next()
        assert 1e9 < first.published_at <= second.published_at


class TestReads:
    """A stream is read in portions."""

    @pytest.mark.parametrize(
        ("size", "count", "portions"),
        [(1, 600, [256, 256, 88]), (100_000, 5, [2, 2, 1]), (READ_BYTES + 1, 3, [1, 1, 1])],
        ids=["many", "large", "larger than a portion"],
    )
    async def test_a_read_is_bounded(self, layer, other, size, count, portions):
        """It returns the first publications, as many as bytes and number allow, at least one; all come by and by."""
        for _ in range(count):
            position = await layer.append(GROUPS[0], b"1" * size, History())
        read, got = [], []
        while len(got) < count:
            part = await other.read(GROUPS[0], Position(position.epoch, len(got)), count)
            read.append(len(part))
            got += part
        assert read == portions
        assert [each.position.offset for each in got] == list(range(1, count + 1))
        assert await other.read(GROUPS[0], position, count + 100) == []

    async def test_a_read_ends_where_it_is_asked_to(self, layer, other):
        """Nothing behind `through`, and nothing before `after`."""
        for _ in range(40):
            position = await layer.append(GROUPS[0], b"1", History(size=30))
        read = await other.read(GROUPS[0], Position(position.epoch, 20), 25)
        assert [each.position.offset for each in read] == [21, 22, 23, 24, 25]
        read = await other.read(GROUPS[0], Position(position.epoch, 0), 12)
        assert [each.position.offset for each in read] == [11, 12]


class TestBytes:
    """A stream keeps so many bytes, beside so many publications."""

    async def test_the_oldest_go_until_the_rest_fits(self, layer, other):
        """One at a time, many for a large one; the newest stays, whatever its size."""
        history, kept = History(bytes=10_500), []
        for size in [1000] * 20 + [4000, 20_000, 100]:
            at = await layer.append(GROUPS[0], b"1" * size, history)
            read = await other.read(GROUPS[0], Position(at.epoch, 0), at.offset)
            kept.append((read[0].position.offset, read[-1].position.offset, len(read)))
        assert kept[:10] == [(1, number, number) for number in range(1, 11)]
        assert kept[10:20] == [(number - 9, number, 10) for number in range(11, 21)]
        assert kept[20:] == [(15, 21, 7), (22, 22, 1), (23, 23, 1)]

    async def test_without_a_bound_all_stay(self, layer, other):
        """0 is none."""
        for _ in range(5):
            at = await layer.append(GROUPS[0], b"1" * 1000, History(bytes=0))
        assert len(await other.read(GROUPS[0], Position(at.epoch, 0), 5)) == 5


class TestTops:
    """Who goes through all durable groups of a kind."""

    async def test_each_group_of_the_kind_is_there_with_its_newest_position(self, layer, other):
        """All of them, on whatever host, with the position of the last publication; those of other kinds are not."""
        positions = {}
        for group in GROUPS:
            await layer.append(group, b"1", History())
            positions[group] = await layer.append(group, b"2", History())
        for group in ("chat2.room", "chats.room", "other.chat.room", "ch.a"):
            await layer.append(group, b"1", History())
        await layer.publish("chat.ephemeral", b"1")
        tops = await other.tops("chat")
        assert {group: top.position for group, top in tops.items()} == positions
        assert tops == {group: await other.top(group) for group in GROUPS}
        assert set(await other.tops("ch")) == {"ch.a"}
        assert await other.tops("nobody") == {}

    async def test_there_may_be_many(self, layer, other):
        """More than one step of a scan brings."""
        for number in range(700):
            await layer.append(f"many.{number}", b"1", History(), key="k")
        assert len(await other.tops("many")) == 700


def part(process, number, *members):
    return Part(process, number, len(members), {member: {"name": "Ada"} for member in members})


class TestPresence:
    """What processes say of their members, and which of them live."""

    async def test_a_part_is_told_and_kept(self, layer, other, tools):
        """Whoever is subscribed hears it; whoever comes later reads it; each process has its own."""
        told = tools.Inbox()
        await layer.subscribe(GROUPS[0], tools.Inbox(), told)
        parts = [part("one", 1, "a", "b"), part("two", 2, "c")]
        for each in parts:
            await other.announce(GROUPS[0], each)
        assert [await told.next(), await told.next()] == parts
        assert sorted(await other.presence(GROUPS[0]), key=lambda each: each.process) == parts
        assert await other.presence(GROUPS[1]) == []

    async def test_the_newest_part_of_a_process_counts(self, layer):
        """An older part that comes late changes nothing; the empty one of a process that has left is kept, too."""
        await layer.announce(GROUPS[0], part("one", 5, "a"))
        await layer.announce(GROUPS[0], part("one", 4))
        assert await layer.presence(GROUPS[0]) == [part("one", 5, "a")]
        await layer.announce(GROUPS[0], part("one", 6))
        assert await layer.presence(GROUPS[0]) == [part("one", 6)]

    async def test_a_part_of_the_dead_can_be_removed(self, layer):
        """It is gone, unless the process was alive after all and has announced a newer one."""
        await layer.announce(GROUPS[0], part("one", 5, "a"))
        await layer.announce(GROUPS[0], part("two", 6, "b"))
        await layer.forget(GROUPS[0], part("one", 4, "a"))
        await layer.forget(GROUPS[0], part("two", 6, "b"))
        assert await layer.presence(GROUPS[0]) == [part("one", 5, "a")]

    async def test_who_listens_to_publications_only_hears_no_parts(self, layer, tools):
        """A receiver without `on_part`, and a consumer in the group, get the publication alone."""
        inbox, channel = tools.Inbox(), await layer.new_channel()
        await layer.subscribe(GROUPS[0], inbox)
        await layer.group_add(GROUPS[0], channel)
        await layer.announce(GROUPS[0], part("one", 1, "a"))
        await layer.publish(GROUPS[0], b"1")
        assert await inbox.data() == b"1"
        assert (await tools.receive(layer, channel))["data"] == 1

    async def test_who_beats_lives(self, layer, other):
        """A beat returns every process that beat lately, and none whose last beat is too old."""
        await layer.beat("one", 60)
        assert await other.beat("two", 60) == {"one", "two"}
        await asyncio.sleep(0.05)
        assert await other.beat("two", 0.04) == {"two"}
