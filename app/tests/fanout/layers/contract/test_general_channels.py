"""`send` to a name without "!": as to a worker, Channels' `runworker`."""

import asyncio
import itertools

import pytest
from channels.exceptions import ChannelFull

from tests.fanout.layers.contract.events import MANY, event
from tests.fanout.layers.contract.threads import in_a_thread


async def test_a_message_reaches_who_waits(layer, other, tools):
    """A receiver that waits gets what another process sends."""
    waiting = await tools.begun(tools.receive(layer, "thumbnails"))
    await other.send("thumbnails", event("work"))
    assert await waiting == event("work")


async def test_a_message_waits_for_its_receiver(layer, other, tools):
    """What is sent while nobody receives is there for who comes later, in order."""
    for number in range(5):
        await other.send("thumbnails", event(number))
    assert [(await tools.receive(layer, "thumbnails"))["text"] for _ in range(5)] == list(range(5))


async def test_a_message_reaches_exactly_one(make_layer, tools):
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


async def test_channels_keep_their_messages_to_themselves(layer, other, tools):
    """Each general channel, on whichever host, has its own queue."""
    names = [f"worker-{number}" for number in range(8)]
    for name in names:
        await other.send(name, event(name))
    for name in reversed(names):
        assert (await tools.receive(layer, name))["text"] == name


async def test_a_receiver_that_is_cancelled_loses_nothing(layer, other, tools):
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


async def test_a_cancelled_receiver_leaves_its_turn_to_another(make_layer, tools):
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


async def test_a_full_channel_says_so(make_layer, tools):
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


async def test_a_message_expires(make_layer, tools):
    """What waits longer than `expiry` is not delivered and takes no room."""
    layer = make_layer(capacity=2, expiry=0.5)
    await layer.send("thumbnails", event("old"))
    await layer.send("thumbnails", event("old too"))
    await asyncio.sleep(0.6)
    await layer.send("thumbnails", event("new"))
    assert (await tools.receive(layer, "thumbnails"))["text"] == "new"


async def test_a_message_expires_while_it_waits_alone(make_layer, tools):
    """A receiver that comes too late gets the next message, not the expired one."""
    layer = make_layer(expiry=0.5)
    await layer.send("thumbnails", event("old"))
    await asyncio.sleep(0.6)
    waiting = await tools.begun(tools.receive(layer, "thumbnails"))
    await layer.send("thumbnails", event("new"))
    assert (await waiting)["text"] == "new"


async def test_several_may_wait_in_one_process(layer, other, tools):
    """Receivers of one process on one channel get one message each."""
    waiting = [await tools.begun(tools.receive(layer, "thumbnails")) for _ in range(5)]
    for number in range(5):
        await other.send("thumbnails", event(number))
    assert sorted([(await each)["text"] for each in waiting]) == list(range(5))


async def test_a_message_is_the_receivers_own(layer, tools):
    """What the sender does to a message afterwards changes nothing."""
    message = event(items=[1])
    await layer.send("thumbnails", message)
    message["items"].append(2)
    assert (await tools.receive(layer, "thumbnails"))["items"] == [1]


async def test_a_thread_reaches_a_worker(layer, tools):
    """async_to_sync(send) in a thread, as in a view, reaches a receiver that waits on another event loop."""
    waiting = await tools.begun(tools.receive(layer, "thumbnails"))
    async with in_a_thread(layer.send, "thumbnails", event("from a view")):
        assert (await waiting)["text"] == "from a view"


@pytest.mark.parametrize("name", ["", "with space", "sl/ash", "x" * 100])
async def test_a_bad_name_is_refused(layer, name):
    """A message never waits under a name that nobody may receive from."""
    for call in (layer.send(name, event()), layer.receive(name)):
        with pytest.raises(TypeError, match="Channel name"):
            await call
