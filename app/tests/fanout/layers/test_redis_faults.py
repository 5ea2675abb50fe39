"""The layer on a real Redis that restarts, hangs and cuts off."""

import asyncio
import time

import pytest

from fanout.errors import Unavailable
from tests.busy import slowed, within
from tests.fanout.layers.looks import ANSWER_SECONDS, GROUP, HEALED_SECONDS, connections, event, heard, topics

pytestmark = pytest.mark.fault


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
        async with within(HEALED_SECONDS):
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
        async with within(1):
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
        async with within(HEALED_SECONDS):
            await watch.lost.wait()
        layer.unsubscribe("chat.leaves", leaves)
        joining = await tools.begun(layer.subscribe("chat.joins", joins))
        await asyncio.to_thread(own_redis.start)
        async with within(HEALED_SECONDS):
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
        async with within(1):
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
        await tools.eventually(lambda: not layer._shards[0].commands._waiting)
        late = [layer.publish(GROUP, b'"late"'), layer.group_send(GROUP, event("late")), layer.send("general", event())]
        errors = await asyncio.gather(first, *late, return_exceptions=True)
        assert time.monotonic() - began < ANSWER_SECONDS * slowed()
        assert {type(error) for error in errors} == {Unavailable}
        assert "Redis can't be reached" in str(errors[0])
        async with within(ANSWER_SECONDS):
            await watch.lost.wait()
        own_redis.resume()
        await heard(layer, inbox)
        async with within(HEALED_SECONDS):
            await watch.back.wait()

    async def test_a_redis_that_is_down_at_the_start(self, own_redis, redis_layer, tools, monkeypatch, caplog):
        """Without Redis a membership is refused in time; once it is there, everything works, once."""
        own_redis.stop()
        layer, inbox = redis_layer(own_redis), tools.Inbox()
        with monkeypatch.context() as patch:
            patch.setattr("fanout.layers.redis_loop.CONFIRM_TIMEOUT", 0.2)
            async with within(ANSWER_SECONDS):
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
