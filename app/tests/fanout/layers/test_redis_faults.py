"""The layer on a real Redis that restarts, hangs, cuts off and is flooded."""

import asyncio
import json
import logging
import time

import pytest

from fanout.errors import Unavailable
from fanout.layers import envelope
from tests.busy import slowed

pytestmark = pytest.mark.fault

GROUP = "chat.lobby"
HEALED_SECONDS = 2
"""The design's limit for a gap; what the layer promises."""
ANSWER_SECONDS = 2.5
"""A publisher knows by then: 2 s for Redis, the rest for this machine."""


def event(text="hello"):
    return {"type": "test.message", "text": text}


@pytest.fixture
def watch():
    """Counters and events for on_disconnect and on_reconnect."""

    class Watch:
        def __init__(self) -> None:
            self.lost, self.back = asyncio.Event(), asyncio.Event()
            self.calls = []

        def on_disconnect(self) -> None:
            self.calls.append("lost")
            self.lost.set()

        def on_reconnect(self) -> None:
            self.calls.append("back")
            self.back.set()

        @property
        def options(self):
            return {"on_disconnect": self.on_disconnect, "on_reconnect": self.on_reconnect}

    return Watch()


async def heard(layer, inbox, limit=HEALED_SECONDS):
    """Publish until the inbox hears it; what is published while nobody is subscribed is lost."""
    async with asyncio.timeout(limit):
        number = 0
        while True:
            number += 1
            data = b'"probe %d"' % number
            try:
                await layer.publish(GROUP, data)
                async with asyncio.timeout(0.05):
                    while await inbox.data() != data:
                        pass
            except (Unavailable, TimeoutError):
                await asyncio.sleep(0.01)
            else:
                return


def topics(server):
    """The Redis channels of groups that somebody is subscribed to."""
    return server.cli.pubsub_channels("*__group__*")


def connections(server):
    """The connections to a Redis beside the test's own."""
    own = server.cli.client_id()
    return [client for client in server.cli.client_list() if int(client["id"]) != own]


class TestLostConnections:
    async def test_delivery_goes_on_after_a_restart(self, own_redis, redis_layer, tools, watch):
        """After a restart of Redis, receivers and channels hear again within 2 s without doing anything."""
        layer, publisher = redis_layer(own_redis, **watch.options), redis_layer(own_redis)
        inbox, channel = tools.Inbox(), await layer.new_channel()
        await layer.subscribe(GROUP, inbox)
        await layer.group_add(GROUP, channel)
        await publisher.publish(GROUP, b'"before"')
        assert await inbox.data() == b'"before"'
        await asyncio.to_thread(own_redis.restart)
        await heard(publisher, inbox)
        await publisher.group_send(GROUP, event("after"))
        async with asyncio.timeout(HEALED_SECONDS):
            while (await layer.receive(channel)).get("text") != "after":
                pass
        await layer.send(channel, event("direct"))
        assert (await tools.receive(layer, channel))["text"] == "direct"
        assert watch.calls == ["lost", "back"]

    async def test_delivery_goes_on_after_a_kill(self, own_redis, redis_layer, tools):
        """After kill -9 and an outage, delivery is back within 2 s of Redis' return."""
        layer, inbox = redis_layer(own_redis), tools.Inbox()
        await layer.subscribe(GROUP, inbox)
        own_redis.kill()
        with pytest.raises(Unavailable):
            await layer.publish(GROUP, b'"during"')
        await asyncio.to_thread(own_redis.start)
        await heard(layer, inbox)

    async def test_a_killed_reader_is_back_at_once(self, redis_layer, own_redis, tools, watch):
        """When Redis cuts the subscribed connection, it is made anew within 1 s with all its memberships."""
        layer, inboxes = redis_layer(own_redis, **watch.options), {}
        for number in range(20):
            group = f"chat.{number}"
            await layer.subscribe(group, inboxes.setdefault(group, tools.Inbox()))
        own_redis.cli.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        async with asyncio.timeout(1):
            await watch.back.wait()
        for group, inbox in inboxes.items():
            await layer.publish(group, b"1")
            assert await inbox.data() == b"1"
        assert watch.calls == ["lost", "back"]

    async def test_a_group_left_during_the_outage_stays_left(self, own_redis, redis_layer, tools, watch):
        """Who joins and leaves while Redis is away is in and out when it is back, and the reconnect is told."""
        layer = redis_layer(own_redis, **watch.options)
        stays, leaves, joins = tools.Inbox(), tools.Inbox(), tools.Inbox()
        await layer.subscribe("chat.stays", stays)
        await layer.subscribe("chat.leaves", leaves)
        own_redis.stop()
        async with asyncio.timeout(HEALED_SECONDS):
            await watch.lost.wait()
        layer.unsubscribe("chat.leaves", leaves)
        joining = await tools.begun(layer.subscribe("chat.joins", joins))
        await asyncio.to_thread(own_redis.start)
        async with asyncio.timeout(HEALED_SECONDS):
            await watch.back.wait()
            await joining
        names = sorted(topic.decode() for topic in topics(own_redis))
        assert [name.partition("__group__")[2] for name in names] == ["{chat.joins}", "{chat.stays}"]
        await layer.publish("chat.joins", b"1")
        assert await joins.data() == b"1"

    async def test_a_group_left_while_the_reader_comes_back(self, own_redis, redis_layer, tools, watch):
        """A group that is left in the very moment of the reconnect does not keep the reconnect from being told."""
        layer, inbox = redis_layer(own_redis, **watch.options), tools.Inbox()
        await layer.subscribe(GROUP, inbox)
        await layer.subscribe("chat.leaves", inbox)
        reader = layer._shards[0].reader
        connected = reader._connect

        async def connect_and_leave():
            await connected()
            layer.unsubscribe("chat.leaves", inbox)

        reader._connect = connect_and_leave
        own_redis.cli.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        async with asyncio.timeout(1):
            await watch.back.wait()
        assert reader.connected

    async def test_a_callback_that_raises_does_not_end_the_feed(self, own_redis, redis_layer, tools, caplog):
        """An error in on_disconnect or on_reconnect is logged, and delivery goes on."""

        def fail():
            raise RuntimeError("a bug in a callback")

        layer, inbox = redis_layer(own_redis, on_disconnect=fail, on_reconnect=fail), tools.Inbox()
        await layer.subscribe(GROUP, inbox)
        for _ in range(2):
            own_redis.cli.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            await heard(layer, inbox)
        assert "a bug in a callback" in caplog.text

    async def test_what_is_published_behind_a_lost_connection_is_not_doubled(self, own_redis, redis_layer, tools):
        """Cutting all connections again and again loses publications to nobody twice, and keeps their order."""
        layer, publisher, inbox = redis_layer(own_redis), redis_layer(own_redis), tools.Inbox()
        await layer.subscribe(GROUP, inbox)
        published = 0
        for number in range(300):
            if number % 100 == 50:
                own_redis.cli.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try:
                await publisher.publish(GROUP, b"%d" % number)
                published += 1
            except Unavailable:
                pass
        await publisher.publish(GROUP, b"1000")
        got = [int(await inbox.data())]
        while got[-1] != 1000:
            got.append(int(await inbox.data()))
        assert got == sorted(set(got))
        assert len(got) >= published


class TestSilence:
    async def test_a_silent_redis_is_an_error_in_time(self, own_redis, redis_layer, tools, watch):
        """While Redis hangs, every publish fails within its limit with a sentence; then all goes on."""
        layer, inbox = redis_layer(own_redis, **watch.options), tools.Inbox()
        await layer.subscribe(GROUP, inbox)
        await layer.publish(GROUP, b'"before"')
        assert await inbox.data() == b'"before"'
        own_redis.pause()
        began = time.monotonic()
        first = await tools.begun(layer.publish(GROUP, b'"during"'))
        await tools.eventually(lambda: not layer._shards[0].publisher._waiting)
        late = [layer.publish(GROUP, b'"late"'), layer.group_send(GROUP, event("late")), layer.send("general", event())]
        errors = await asyncio.gather(first, *late, return_exceptions=True)
        assert time.monotonic() - began < ANSWER_SECONDS * slowed()
        assert {type(error) for error in errors} == {Unavailable}
        assert "Redis can't be reached" in str(errors[0])
        async with asyncio.timeout(ANSWER_SECONDS):
            await watch.lost.wait()
        own_redis.resume()
        await heard(layer, inbox)
        async with asyncio.timeout(HEALED_SECONDS):
            await watch.back.wait()

    async def test_a_redis_that_is_down_at_the_start(self, own_redis, redis_layer, tools, monkeypatch, caplog):
        """Without Redis a membership is refused in time; once it is there, everything works, once."""
        own_redis.stop()
        layer, inbox = redis_layer(own_redis), tools.Inbox()
        with monkeypatch.context() as patch:
            patch.setattr("fanout.layers.redis_loop.CONFIRM_TIMEOUT", 0.2)
            async with asyncio.timeout(ANSWER_SECONDS):
                for call in (layer.subscribe(GROUP, inbox), layer.new_channel()):
                    with pytest.raises(Unavailable, match=r"Redis did not confirm .* try again"):
                        await call
                with pytest.raises(Unavailable, match="Redis can't be reached"):
                    await layer.publish(GROUP, b"1")
        assert not layer.channels
        assert caplog.text.count("no connection to Redis") == 1
        await asyncio.to_thread(own_redis.start)
        await layer.subscribe(GROUP, inbox)
        await layer.publish(GROUP, b"2")
        assert await inbox.data() == b"2"
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        await layer.group_send(GROUP, event())
        assert await tools.receive(layer, channel) == event()
        assert inbox.calls == 2

    async def test_an_idle_reader_lives_on(self, own_redis, redis_layer, tools, monkeypatch):
        """Silence for longer than redis-py's socket_timeout costs no connection (it closed idle sockets)."""
        monkeypatch.setattr("fanout.layers.reader.PING_AFTER", 0.25)
        layer = redis_layer(hosts=[{"address": own_redis.url, "socket_timeout": 0.5}])
        inbox = tools.Inbox()
        await layer.subscribe(GROUP, inbox)
        before = connections(own_redis)

        def pings():
            return own_redis.cli.info("commandstats").get("cmdstat_ping", {}).get("calls", 0)

        idle_until = pings() + 5  # 1.25 s
        await tools.eventually(lambda: pings() >= idle_until)
        assert [client["id"] for client in connections(own_redis)] == [client["id"] for client in before]
        await layer.publish(GROUP, b"1")
        assert await inbox.data() == b"1"

    @pytest.mark.parametrize("how", ["url", "option"])
    async def test_an_idle_reader_lives_on_whatever_protocol_is_asked_for(self, own_redis, redis_layer, tools, how):
        """RESP3, in which a PONG does not tell whether the connection is subscribed, is not spoken: nothing is lost."""
        host = {"url": f"{own_redis.url}?protocol=3", "option": {"address": own_redis.url, "protocol": 3}}[how]
        layer = redis_layer(hosts=[host])
        await layer.subscribe(GROUP, tools.Inbox())
        assert {client["resp"] for client in connections(own_redis)} == {"2"}

    async def test_a_refused_publish_is_unavailable(self, own_redis, redis_layer, caplog):
        """When Redis answers a publish with an error, what it said is for the log; clients read a sentence."""
        layer = redis_layer(own_redis)
        own_redis.cli.execute_command("ACL", "SETUSER", "app", "-publish")
        with pytest.raises(Unavailable) as told:
            await layer.publish(GROUP, b"1")
        assert str(told.value) == "Redis refused to take the message: try again later; the server's log says why."
        assert "permission" in caplog.text


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
