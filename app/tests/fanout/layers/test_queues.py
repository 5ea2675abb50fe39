"""General channels on a real Redis that restarts, hangs and cuts off; what they leave in it."""

import asyncio

import pytest

from fanout.errors import Unavailable
from fanout.layers.queues import POLL

pytestmark = pytest.mark.fault

CHANNEL = "thumbnails"
COUNT = 300
LATE = 10
"""Seconds in which everything has healed, on a busy machine."""


def event(text):
    return {"type": "test.message", "text": text}


async def send_all(layer, numbers, sent):
    """Send numbers; keep those that Redis took for certain, and those of which that is unknown."""
    for number in numbers:
        try:
            await layer.send(CHANNEL, event(number))
            sent.append(number)
        except Unavailable:
            await asyncio.sleep(0.02)
        if number == COUNT - 1 and number not in sent:
            await send_all(layer, [number], sent)


async def receive_through(layer, last):
    """What is received up to the last number."""
    got = []
    async with asyncio.timeout(30):
        while not got or got[-1] != last:
            got.append((await layer.receive(CHANNEL))["text"])
    return got


@pytest.fixture
def keys(own_redis):
    """The keys in Redis, each with its time to live in ms (-1: for ever)."""
    return lambda: {key.decode(): own_redis.cli.pttl(key) for key in own_redis.cli.keys("*")}


@pytest.mark.parametrize("kind", ["normal", "pubsub"])
async def test_cut_connections_lose_and_double_nothing(own_redis, redis_layer, kind):
    """Redis cuts connections again and again: what it took is received once, in order."""
    layer, sender = redis_layer(own_redis, capacity=COUNT), redis_layer(own_redis, capacity=COUNT)
    receiving = asyncio.create_task(receive_through(layer, COUNT - 1))
    sent = []
    sending = asyncio.create_task(send_all(sender, range(COUNT), sent))
    while not sending.done():
        await asyncio.sleep(0.01)
        own_redis.cli.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    await sending
    got = await receiving
    assert got == sorted(set(got))
    assert set(sent) <= set(got)


async def test_a_paused_redis_loses_and_doubles_nothing(own_redis, redis_layer):
    """Redis stands still for longer than a command may take: a take whose answer was lost is the same take."""
    layer, sender = redis_layer(own_redis, capacity=COUNT), redis_layer(own_redis, capacity=COUNT)
    sent = []
    await send_all(sender, range(COUNT // 2), sent)
    receiving = asyncio.create_task(receive_through(layer, COUNT - 1))
    await asyncio.sleep(0.01)  # in the middle of receiving
    own_redis.pause()
    await asyncio.sleep(2.5)
    own_redis.resume()
    await send_all(sender, range(COUNT // 2, COUNT), sent)
    got = await receiving
    assert got == sorted(set(got))
    assert set(sent) <= set(got)


async def test_messages_and_receivers_outlive_a_restart(own_redis, redis_layer, tools):
    """What Redis kept over its restart is received afterwards; a receiver that waits goes on by itself."""
    layer, sender = redis_layer(own_redis), redis_layer(own_redis)
    for number in range(3):
        await sender.send(CHANNEL, event(number))
    waiting = await tools.begun(layer.receive("other"))
    own_redis.cli.save()
    await asyncio.to_thread(own_redis.restart)
    assert [(await tools.receive(layer, CHANNEL))["text"] for _ in range(3)] == [0, 1, 2]
    async with asyncio.timeout(LATE):
        while True:
            try:
                await sender.send("other", event("after"))
                break
            except Unavailable:
                await asyncio.sleep(0.05)
        assert (await waiting)["text"] == "after"


async def test_a_receiver_waits_for_redis(own_redis, redis_layer, tools, caplog):
    """A worker that starts before Redis does not end: it says once what is missing, and receives when it can."""
    own_redis.stop()
    layer, sender = redis_layer(own_redis), redis_layer(own_redis)
    waiting = await tools.begun(layer.receive(CHANNEL))
    await tools.eventually(lambda: "can't receive from thumbnails" in caplog.text)
    with pytest.raises(Unavailable, match="Redis can't be reached"):
        await sender.send(CHANNEL, event("too early"))
    await asyncio.to_thread(own_redis.start)
    await sender.send(CHANNEL, event("now"))
    async with asyncio.timeout(LATE):
        assert (await waiting)["text"] == "now"
    assert caplog.text.count("can't receive from") == 1


async def test_a_lost_wake_up_delays_a_message_no_longer_than_a_poll(own_redis, redis_layer, tools):
    """A message whose wake-up nobody heard is found by the next look."""
    layer, sender = redis_layer(own_redis), redis_layer(own_redis)
    waiting = await tools.begun(layer.receive(CHANNEL))
    await tools.eventually(lambda: own_redis.cli.keys("*waiting*"))
    own_redis.cli.delete(*own_redis.cli.keys("*waiting*"))  # nobody is woken
    await sender.send(CHANNEL, event("unheard"))
    async with asyncio.timeout(POLL + LATE):
        assert (await waiting)["text"] == "unheard"


async def test_who_is_gone_is_not_woken(own_redis, redis_layer, tools):
    """A receiver whose process died holds up no message: the next that waits is woken in its place."""
    dead, alive, sender = redis_layer(own_redis), redis_layer(own_redis), redis_layer(own_redis)
    waits = await tools.begun(dead.receive(CHANNEL))
    await tools.eventually(lambda: own_redis.cli.keys("*waiting*"))
    (key,) = own_redis.cli.keys("*waiting*")
    own_redis.cli.zadd(key, {b"asgi__a-topic-that-nobody-hears": 1})  # longer than the other, so its turn is first
    waiting = await tools.begun(alive.receive(CHANNEL))
    await tools.eventually(lambda: own_redis.cli.zcard(key) == 3)
    await sender.send(CHANNEL, event(1))
    await sender.send(CHANNEL, event(2))
    async with asyncio.timeout(LATE):
        assert {(await waits)["text"], (await waiting)["text"]} == {1, 2}


async def test_nothing_lives_for_ever_in_redis(own_redis, redis_layer, tools, keys):
    """Every key of a general channel ends by itself, and none is left of a receiver that was cancelled but its note."""
    layer = redis_layer(own_redis, expiry=1)
    await layer.send(CHANNEL, event("one"))
    assert all(0 < left <= 1000 for left in keys().values())
    await tools.receive(layer, CHANNEL)
    await tools.cancelled(await tools.begun(layer.receive(CHANNEL)))
    assert all(left > 0 for left in keys().values())
    await tools.eventually(lambda: not keys())


async def test_a_garbled_message_does_not_end_a_worker(own_redis, redis_layer, tools, caplog):
    """What nobody can read is left out with a log line."""
    layer, sender = redis_layer(own_redis), redis_layer(own_redis, symmetric_encryption_keys=["another"])
    await sender.send(CHANNEL, event("secret"))
    await layer.send(CHANNEL, event("plain"))
    assert (await tools.receive(layer, CHANNEL))["text"] == "plain"
    assert "left out a message to thumbnails" in caplog.text


async def test_another_prefix_is_another_queue(redis_server, redis_layer, layer_prefix, tools):
    """Layers with different prefixes on one Redis do not take each other's messages."""
    layer, stranger = redis_layer(redis_server), redis_layer(redis_server, prefix=f"{layer_prefix}other")
    await stranger.send(CHANNEL, event("theirs"))
    await layer.send(CHANNEL, event("ours"))
    assert (await tools.receive(layer, CHANNEL))["text"] == "ours"
    assert (await tools.receive(stranger, CHANNEL))["text"] == "theirs"


async def test_what_was_taken_is_given_back_when_the_layer_closes(own_redis, redis_layer, tools):
    """A flush waits until Redis knows that a cancelled receiver did not get its message."""
    layer, sender = redis_layer(own_redis), redis_layer(own_redis)
    for number in range(20):
        await sender.send(CHANNEL, event(number))
        receiving = await tools.begun(layer.receive(CHANNEL))
        await asyncio.sleep(0.0002 * number)
        await tools.cancelled(receiving)
        await layer.flush()
        if receiving.cancelled():
            assert (await tools.receive(sender, CHANNEL))["text"] == number
