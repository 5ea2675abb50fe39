"""The layer on a real Redis: how much it takes, and what it leaves behind."""

import asyncio
import json

import pytest

from tests.fanout.layers.looks import GROUP, connections, event, topics

pytestmark = pytest.mark.fault


class TestFloods:
    async def test_a_burst_loses_nothing(self, redis_server, redis_layer, tools):
        """2,000 events at once all arrive, in order, at a consumer that reads later (the core layer lost 85 %)."""
        layer, sender, inbox = redis_layer(redis_server), redis_layer(redis_server), tools.Inbox()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        await layer.subscribe(GROUP, inbox)
        async with asyncio.timeout(10):
            await asyncio.gather(*(sender.group_send(GROUP, event(number)) for number in range(2000)))
            assert [json.loads(data)["text"] for data in await inbox.data(2000)] == list(range(2000))
            assert [(await layer.receive(channel))["text"] for _ in range(2000)] == list(range(2000))

    async def test_a_connect_storm_needs_two_connections(self, own_redis, redis_layer, tools):
        """300 consumers that connect at once share the process' two connections (a pool ended in HTTP 500)."""
        layer = redis_layer(own_redis)
        before = own_redis.cli.info("stats")["total_connections_received"]

        async def connect(number):
            channel = await layer.new_channel()
            await layer.group_add(GROUP, channel)
            await layer.group_add(f"chat.{number}", channel)
            await layer.group_send(f"chat.{number}", event(number))
            return await tools.receive(layer, channel)

        async with asyncio.timeout(10):
            received = await asyncio.gather(*(connect(number) for number in range(300)))
        assert [message["text"] for message in received] == list(range(300))
        assert own_redis.cli.info("stats")["total_connections_received"] - before == 2
        assert len(connections(own_redis)) == 2

    async def test_thousands_of_groups_in_one_go(self, own_redis, redis_layer, tools):
        """3,000 groups are joined at once, rejoined after a lost connection, and leave nothing behind."""
        layer, inbox = redis_layer(own_redis), tools.Inbox()
        groups = [f"chat.{number}" for number in range(3000)]
        async with asyncio.timeout(10):
            await asyncio.gather(*(layer.subscribe(group, inbox) for group in groups))
            own_redis.cli.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            await tools.eventually(lambda: len(topics(own_redis)) == len(groups))
            for group in groups:
                layer.unsubscribe(group, inbox)
            await tools.eventually(lambda: not topics(own_redis))


class TestNothingIsLeftBehind:
    async def test_redis_forgets_what_is_left(self, own_redis, redis_layer, tools):
        """When the last member of a group leaves, Redis has no subscription of it; the same for channels."""
        layer, inbox = redis_layer(own_redis), tools.Inbox()
        channel = await layer.new_channel()
        await layer.group_add("chat.one", channel)
        await layer.group_add("chat.two", channel)
        await layer.subscribe("chat.two", inbox)
        await layer.group_discard("chat.one", channel)
        await tools.eventually(lambda: len(topics(own_redis)) == 1)
        layer.unsubscribe("chat.two", inbox)
        await tools.cancelled(await tools.begun(layer.receive(channel)))
        await tools.eventually(lambda: not topics(own_redis))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(layer.receive(channel), 0.01)
        assert not own_redis.cli.pubsub_channels(channel)

    async def test_flush_closes_the_connections(self, own_redis, redis_layer, tools):
        """A flush closes both connections; the layer opens them again when it is used."""
        layer, inbox = redis_layer(own_redis), tools.Inbox()
        await layer.subscribe(GROUP, inbox)
        await layer.publish(GROUP, b"1")
        assert await inbox.data() == b"1"  # a flush gives up what is still on its way
        await layer.flush()
        await tools.eventually(lambda: not connections(own_redis))
        await layer.subscribe(GROUP, inbox)
        await layer.publish(GROUP, b"2")
        assert await inbox.data() == b"2"

    async def test_a_cancelled_join_leaves_nothing_behind(self, own_redis, redis_layer, tools):
        """A subscribe that is cancelled before Redis confirmed it is not in force; another's in that group is."""
        layer, first, second = redis_layer(own_redis), tools.Inbox(), tools.Inbox()
        cancelled = await tools.begun(layer.subscribe(GROUP, first))
        stays = await tools.begun(layer.subscribe(GROUP, second))
        await tools.cancelled(cancelled)
        await stays
        await layer.publish(GROUP, b"1")
        assert await second.data() == b"1"
        assert not first.calls
        await tools.cancelled(await tools.begun(layer.subscribe("chat.other", first)))
        layer.unsubscribe(GROUP, second)
        await tools.eventually(lambda: not topics(own_redis))
