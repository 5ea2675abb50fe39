"""Channels' channels, names and extensions."""

import asyncio

import pytest
from asgiref.sync import async_to_sync

from fanout.layers import InMemoryChannelLayer
from tests.fanout.layers.contract.events import MANY, event


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
