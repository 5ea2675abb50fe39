"""Channels' groups."""

import asyncio

from tests.fanout.layers.contract.events import GROUPS, event
from tests.fanout.layers.contract.threads import in_a_thread


async def test_members_get_what_is_sent_to_their_group(layer, other, tools):
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


async def test_a_membership_is_in_force_when_group_add_returns(layer, other, tools):
    """What another process sends right after group_add arrives."""
    for group in GROUPS:
        channel = await layer.new_channel()
        await layer.group_add(group, channel)
        await other.group_send(group, event(group))
        assert (await tools.receive(layer, channel))["text"] == group


async def test_groups_do_not_hear_each_other(layer, tools):
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


async def test_a_group_keeps_the_order(layer, other, tools):
    """Events of one sender arrive in the order in which they were sent."""
    channel = await layer.new_channel()
    await layer.group_add("chat.lobby", channel)
    for number in range(50):
        await other.group_send("chat.lobby", event(number))
    assert [(await tools.receive(layer, channel))["text"] for _ in range(50)] == list(range(50))


async def test_added_twice_is_added_once(layer, tools):
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


async def test_added_again_after_a_discard(layer, other, tools):
    """A channel that left and came back at once is in the group."""
    channel = await layer.new_channel()
    for round_ in range(20):
        await layer.group_add("chat.lobby", channel)
        await other.group_send("chat.lobby", event(round_))
        assert (await tools.receive(layer, channel))["text"] == round_
        await layer.group_discard("chat.lobby", channel)


async def test_to_discard_a_stranger_does_nothing(layer, tools):
    """group_discard of a channel that is not in the group, or of a group that is not there, is harmless."""
    member, stranger = await layer.new_channel(), await layer.new_channel()
    await layer.group_discard("chat.nowhere", stranger)
    await layer.group_add("chat.lobby", member)
    await layer.group_discard("chat.lobby", stranger)
    await layer.group_send("chat.lobby", event())
    assert await tools.receive(layer, member) == event()


async def test_to_send_to_an_empty_group_does_nothing(layer):
    """group_send to a group without members is harmless."""
    await layer.group_send("chat.nowhere", event())


async def test_a_vanished_channel_is_forgotten(layer, tools):
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


async def test_a_thread_reaches_a_consumer(layer, tools):
    """async_to_sync(group_send) in a thread reaches a consumer that waits on another event loop."""
    channel = await layer.new_channel()
    await layer.group_add("chat.lobby", channel)
    waiting = await tools.begun(tools.receive(layer, channel))
    async with in_a_thread(layer.group_send, "chat.lobby", event("from a thread")):
        assert (await waiting)["text"] == "from a thread"


async def test_a_thread_reaches_a_receiver(layer, tools):
    """async_to_sync(publish) in a thread reaches a receiver, on the receiver's own event loop."""
    inbox, loops = tools.Inbox(), []
    await layer.subscribe("chat.lobby", lambda _: loops.append(asyncio.get_running_loop()))
    await layer.subscribe("chat.lobby", inbox)
    async with in_a_thread(layer.publish, "chat.lobby", b"1"):
        assert await inbox.data() == b"1"
    assert loops == [asyncio.get_running_loop()]
