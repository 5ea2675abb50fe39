"""The layer on a Redis that others use and read."""

import json
import logging

import pytest

from fanout.layers import envelope
from tests.fanout.layers.looks import GROUP, event, topics

pytestmark = pytest.mark.fault


class TestStrangers:
    async def test_garbage_does_not_end_the_feed(self, redis_server, redis_layer, layer_prefix, tools, caplog):
        """What a stranger publishes to a group's Redis channel is left out with a log line; the feed goes on."""
        layer, inbox = redis_layer(redis_server), tools.Inbox()
        channel = await layer.new_channel()
        await layer.subscribe(GROUP, inbox)
        await layer.group_add(GROUP, channel)
        (topic,) = [topic for topic in topics(redis_server) if topic.startswith(layer_prefix.encode())]
        for garbage in (b"", b"\xc1", b"\xc1\x01", b"\xc1\x01garbage", b"\xff\xfe", b"PING me", b"{}"):
            caplog.clear()
            assert redis_server.cli.publish(topic, garbage) == 1
            await layer.publish(GROUP, b"1")
            assert await inbox.data() == b"1"
            assert (await tools.receive(layer, channel))["data"] == 1
            assert "left out" in caplog.text, garbage

    async def test_garbage_to_a_channel_does_not_reach_its_consumer(
        self, redis_server, redis_layer, layer_prefix, tools, caplog
    ):
        """What nobody can read on a process' own or a general Redis channel is left out."""
        layer = redis_layer(redis_server)
        channel = await layer.new_channel()
        general = layer_prefix + "general"
        waiting = await tools.begun(tools.receive(layer, general))
        await tools.eventually(lambda: len(redis_server.cli.pubsub_channels(layer_prefix + "*")) == 2)
        for topic in redis_server.cli.pubsub_channels(layer_prefix + "*"):
            for garbage in (b"", b"\xff\0\xff", channel.encode() + b"\0garbage"):
                redis_server.cli.publish(topic, garbage)
        for name in (channel, general):
            await layer.send(name, event(name))
        assert (await waiting)["text"] == general
        assert (await tools.receive(layer, channel))["text"] == channel
        assert "left out" in caplog.text

    async def test_a_newer_version_is_left_out(self, redis_server, redis_layer, layer_prefix, tools, caplog):
        """A publication in a version that this replica does not know is left out, with a line that says why."""
        layer, inbox = redis_layer(redis_server), tools.Inbox()
        await layer.subscribe(GROUP, inbox)
        (topic,) = [topic for topic in topics(redis_server) if topic.startswith(layer_prefix.encode())]
        redis_server.cli.publish(topic, envelope.MARKER + bytes((99,)) + b"whatever comes")
        await layer.publish(GROUP, b"1")
        assert await inbox.data() == b"1"
        (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert line == "left out a publication of chat.lobby in version 99: a newer replica wrote it; finish the deploy"

    async def test_another_prefix_is_another_world(self, redis_server, redis_layer, tools, layer_prefix):
        """Layers with different prefixes on one Redis do not hear each other."""
        layer, stranger = redis_layer(redis_server), redis_layer(redis_server, prefix=f"{layer_prefix}other")
        inbox = tools.Inbox()
        await layer.subscribe(GROUP, inbox)
        await stranger.publish(GROUP, b'"theirs"')
        await stranger.group_send(GROUP, event("theirs"))
        await layer.publish(GROUP, b'"ours"')
        assert await inbox.data() == b'"ours"'
        assert inbox.empty


class TestSecrets:
    async def test_encrypted_events_and_publications(self, redis_server, redis_layer, tools, caplog):
        """Layers with the key understand each other; one without it leaves everything out and lives on."""
        ours = redis_layer(redis_server, symmetric_encryption_keys=["new", "old"])
        theirs = redis_layer(redis_server, symmetric_encryption_keys=["old"])
        without = redis_layer(redis_server)
        mine, blind = tools.Inbox(), tools.Inbox()
        channel, blind_channel = await ours.new_channel(), await without.new_channel()
        await ours.subscribe(GROUP, mine)
        await ours.group_add(GROUP, channel)
        await without.subscribe(GROUP, blind)
        await without.group_add(GROUP, blind_channel)
        await theirs.publish(GROUP, b'{"text":"secret"}')
        await theirs.group_send(GROUP, event("secret"))
        assert await mine.data(2) == [b'{"text":"secret"}'] * 2
        assert (await tools.receive(ours, channel))["data"] == {"text": "secret"}
        assert (await tools.receive(ours, channel)) == event("secret")
        plain = redis_layer(redis_server)
        await plain.group_send(GROUP, event("plain"))
        assert json.loads(await blind.data()) == {"text": "plain"}
        assert await tools.receive(without, blind_channel) == event("plain")
        assert "left out" in caplog.text
        await theirs.publish(GROUP, b"1")
        assert await mine.data() == b"1", "what is not encrypted ended the feed of a layer with a key"

    async def test_secrets_are_not_readable_in_redis(self, redis_server, redis_layer, layer_prefix):
        """With a key, Redis sees neither events nor publications in the clear."""
        layer = redis_layer(redis_server, symmetric_encryption_keys=["key"])
        with redis_server.cli.pubsub() as listening:
            listening.psubscribe(layer_prefix + "*")
            assert listening.get_message(timeout=5)["type"] == "psubscribe"
            await layer.publish(GROUP, b'"attack at dawn"')
            await layer.group_send(GROUP, event("attack at dawn"))
            for _ in range(2):
                message = listening.get_message(timeout=5)
                assert message["type"] == "pmessage"
                assert b"attack" not in message["data"]

    async def test_events_in_json(self, redis_server, redis_layer, tools):
        """With serializer_format="json" events travel as JSON, and publications still arrive byte for byte."""
        layer, inbox = redis_layer(redis_server, serializer_format="json"), tools.Inbox()
        channel = await layer.new_channel()
        await layer.subscribe(GROUP, inbox)
        await layer.group_add(GROUP, channel)
        await layer.publish(GROUP, '{"text": "ü"}'.encode())
        await layer.group_send(GROUP, event("ü"))
        assert await inbox.data() == '{"text": "ü"}'.encode()
        assert json.loads(await inbox.data()) == {"text": "ü"}
        assert (await tools.receive(layer, channel))["data"] == {"text": "ü"}
        assert await tools.receive(layer, channel) == event("ü")
