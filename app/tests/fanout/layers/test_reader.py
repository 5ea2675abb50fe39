"""What the reader keeps in mind, on a real Redis."""

import asyncio

from fanout.layers.wire import pack


async def test_nothing_is_kept_of_topics_that_were_left(redis_server, redis_layer, tools):
    """Groups that come and go leave no trace in the reader's memory."""
    layer, inbox = redis_layer(redis_server), tools.Inbox()
    reader = layer._shards[0].reader
    for number in range(50):
        await layer.subscribe(f"chat.{number}", inbox)
        layer.unsubscribe(f"chat.{number}", inbox)
    await layer.subscribe("chat.lobby", inbox)
    assert len(reader._confirmed) == 1
    assert not reader._in_flight
    assert not reader._commands


async def test_a_connection_that_lost_its_subscriptions_is_replaced(redis_server, redis_layer, tools):
    """When Redis answers as to an unsubscribed connection, the reader makes a new one: no silent deafness."""
    back = asyncio.Event()
    layer, inbox = redis_layer(redis_server, on_reconnect=back.set), tools.Inbox()
    await layer.subscribe("chat.lobby", inbox)
    layer._shards[0].reader._wire.send(pack("RESET"))
    async with asyncio.timeout(2):
        await back.wait()
    await layer.publish("chat.lobby", b"1")
    assert await inbox.data() == b"1"


async def test_a_command_for_a_broken_connection_is_for_the_next_one(redis_server, redis_layer, tools):
    """A command queued as the connection breaks is not sent on a connection without the other subscriptions."""
    layer, inbox = redis_layer(redis_server), tools.Inbox()
    await layer.subscribe("chat.lobby", inbox)
    layer._shards[0].reader._wire.fail(ConnectionError("cut"))
    async with asyncio.timeout(2):
        await layer.subscribe("chat.other", inbox)
    for group in ("chat.lobby", "chat.other"):
        await layer.publish(group, b"1")
        assert (await inbox.next()).group == group


async def test_a_reader_without_topics_comes_back_too(redis_layer, own_redis, tools, monkeypatch):
    """A process whose last group was left still notices a lost connection and the new one."""
    monkeypatch.setattr("fanout.layers.reader.PING_AFTER", 0.1)
    back = asyncio.Event()
    layer, inbox = redis_layer(own_redis, on_reconnect=back.set), tools.Inbox()
    await layer.subscribe("chat.lobby", inbox)
    layer.unsubscribe("chat.lobby", inbox)
    await tools.eventually(lambda: not own_redis.cli.pubsub_channels())
    await asyncio.to_thread(own_redis.restart)
    async with asyncio.timeout(2):
        await back.wait()
    assert layer._shards[0].reader.connected


async def test_no_error_ends_the_reader(redis_layer, own_redis, tools, caplog):
    """An error that nobody foresaw, of redis-py or ours, is logged with its traceback and costs one connection."""
    layer, inbox = redis_layer(own_redis), tools.Inbox()
    await layer.subscribe("chat.lobby", inbox)
    reader = layer._shards[0].reader
    connect, back = reader._connect, asyncio.Event()

    async def fail_once():
        reader._connect = connect
        back.set()
        raise AttributeError("'NoneType' object has no attribute 'writelines'")

    reader._connect = fail_once
    own_redis.cli.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    async with asyncio.timeout(2):
        await back.wait()
    await tools.eventually(lambda: reader.connected)
    await layer.publish("chat.lobby", b"1")
    assert await inbox.data() == b"1"
    assert "Traceback" in caplog.text
    assert "writelines" in caplog.text
