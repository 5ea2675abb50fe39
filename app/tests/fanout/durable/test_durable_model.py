"""Durable groups against a simple model: whatever order things happen in, on a real Redis that forgets."""

import asyncio
import contextlib
import json
import uuid

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from fanout import policy
from fanout.errors import KeyConflict, Unavailable
from fanout.history import History
from fanout.hub import Hub
from fanout.layers import RedisChannelLayer
from fanout.policy import Policy
from tests.fanout.clients import Client

GROUP = "modelled.a"
SIZE = 8
LIMIT = 15
"""Seconds that anything may take; a silent gap is noticed within 2."""
EXAMPLES, STEPS = 10, 25


class Modelled(Policy):
    """Keeps so little that it is trimmed all the time."""

    kind = "modelled"
    history = History(size=SIZE, age=3600)


class Modeled:
    """A client, and what it must have got."""

    def __init__(self):
        self.client = Client()
        self.expected = []
        self.have = 0
        """Publications of the log up to which it has everything."""
        self.hub = None
        """None while it is away."""
        self.lost = False
        """Whether it is past what survived."""

    def due(self, values):
        """It must get these as well."""
        self.expected += values
        self.have += len(values)

    async def settle(self):
        """Wait until it has all that it must have, and see that it has nothing else."""
        got = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIMIT):
                while (got := [data for data, *_ in self.client.frames]) != self.expected and self._still_to_come(got):
                    self.client.arrived.clear()
                    await self.client.arrived.wait()
        assert got == self.expected

    def _still_to_come(self, got):
        return self.expected[: len(got)] == got


class Machine(RuleBasedStateMachine):
    """The log is a list; Redis may lose what it got since it was saved, or since its replica heard of it last."""

    server = None  # the test gives it
    clients = Bundle("clients")

    @initialize()
    def begin(self):
        self.loop = asyncio.new_event_loop()
        self.server.link()
        self.server.cli.flushall()
        self.server.save()
        self.log, self.keys = [], {}
        self.saved, self.replicated = ([], {}), None
        """What survives a restart, and a failover; None: that is not known, or all of it."""
        self.all = []
        self.blind, self.unheard = False, 0
        self.hubs, self.layers = [], []
        self.run(self.start())

    async def start(self):
        self.layers = [RedisChannelLayer(hosts=[self.server.url]) for _ in range(2)]
        self.hubs = [Hub(layer) for layer in self.layers]

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def online(self):
        return [each for each in self.all if each.hub is not None]

    def teardown(self):
        if not hasattr(self, "loop"):
            return
        try:
            self.run(self.settle())
        finally:
            self.run(self.stop())
            self.loop.close()

    async def settle(self):
        for each in self.online():
            await each.settle()

    async def stop(self):
        for hub in self.hubs:
            await hub.aclose()
        for layer in self.layers:
            await layer.flush()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    # -- publications ---------------------------------------------------------------------------------

    @rule(count=st.integers(1, SIZE + 2), hub=st.integers(0, 1))
    def publish(self, count, hub):
        """Each takes the next offset."""
        self.heal(count)
        for _ in range(count):
            self.publish_one(hub)

    def publish_one(self, hub):
        key = uuid.uuid4().hex
        data = f"{len(self.log)} {key[:6]}"
        position = self.run(self.patiently(lambda: self.hubs[hub].publish(GROUP, data, key=key)))
        assert position.offset == len(self.log) + 1
        self.appended(data)
        self.keys[key] = (data, position)

    def heal(self, count):
        """Before more is missed than the stream holds, wait until every process hears again."""
        self.unheard += count
        if self.blind and self.unheard > SIZE:
            self.run(self.settle())
            self.publish_one(0)
            self.run(self.settle())
            self.blind, self.unheard = False, count

    def appended(self, data):
        self.log.append(data)
        for each in self.online():
            each.due([data])

    async def patiently(self, call):
        """Repeat while Redis is away."""
        async with asyncio.timeout(LIMIT):
            while True:
                try:
                    return await call()
                except Unavailable:
                    await asyncio.sleep(0.01)

    @rule(hub=st.integers(0, 1))
    def publish_silently(self, hub):
        """A publication that pub/sub loses."""
        self.heal(1)
        self.blind = True
        data = f"silent {uuid.uuid4().hex[:6]}"
        self.run(self.patiently(lambda: self.append_silently(hub, data)))
        self.appended(data)

    async def append_silently(self, hub, data):
        layer = self.layers[hub]._get_layer()
        body, key = json.dumps(data).encode(), uuid.uuid4().hex
        await layer.streams.append(GROUP, b"asgi__nowhere", body, Modelled.history, key)

    @precondition(lambda self: self.keys)
    @rule(data=st.data(), hub=st.integers(0, 1))
    def publish_again(self, data, hub):
        """The same key is the same publication; with other data it is a conflict."""
        key = data.draw(st.sampled_from(sorted(self.keys)))
        value, position = self.keys[key]
        assert self.run(self.patiently(lambda: self.hubs[hub].publish(GROUP, value, key=key))) == position
        with pytest.raises(KeyConflict):
            self.run(self.patiently(lambda: self.hubs[hub].publish(GROUP, "other", key=key)))

    # -- clients ----------------------------------------------------------------------------------------

    @rule(target=clients, hub=st.integers(0, 1), last=st.integers(0, SIZE))
    def join(self, hub, last):
        """A new client begins with the last few."""
        each = Modeled()
        entry = self.run(self.patiently(lambda: each.client.join(self.hubs[hub], GROUP, last=last)))
        self.all.append(each)
        each.hub = hub
        count = len(entry.recovered) + entry.following
        assert min(entry.position.offset - max(0, len(self.log) - SIZE), last) <= count <= last
        self.begins_at(each, entry.position.offset, count)
        return each

    def begins_at(self, each, offset, count=0):
        """What the process had been told by then comes at once, what it had not yet, live."""
        assert offset <= len(self.log)
        each.expected += self.log[offset - count : offset]
        each.have = offset
        each.due(self.log[offset:])

    @rule(each=clients)
    def drop(self, each):
        """It leaves with what it has got so far, which is a beginning of what it was due."""
        if each.hub is None:
            return
        got = [data for data, *_ in each.client.frames]
        assert each.expected[: len(got)] == got
        each.have -= len(each.expected) - len(got)
        each.expected = got
        self.run(self.leave(each))
        each.hub = None

    async def leave(self, each):
        self.hubs[each.hub].leave(each.client.entry.subscription)

    @rule(each=clients, hub=st.integers(0, 1))
    def resume(self, each, hub):
        """It goes on behind its position with no gap and no double, or is told a reset that is true."""
        if each.hub is not None:
            return
        since = each.client.position
        entry = self.run(self.patiently(lambda: each.client.join(self.hubs[hub], GROUP, since=since)))
        missed = self.log[each.have :]
        if each.lost:
            assert entry.reset == "lost"
        elif len(missed) <= SIZE:
            assert entry.reset is None, f"a reset while the stream holds all {len(missed)} behind the position"
        if entry.reset is None:
            each.due(missed)
        else:
            assert not entry.recovered
            each.expected.append("reset")
            self.begins_at(each, entry.position.offset)
        each.hub, each.lost = hub, False

    # -- failures ---------------------------------------------------------------------------------------

    @rule()
    def cut(self):
        """Redis cuts every subscribed connection."""
        self.unheard = self.unheard if self.blind else 0
        self.blind = True
        self.server.cli.client_kill_filter(_type="pubsub")

    @rule()
    def save(self):
        """What is there now survives."""
        self.server.save()
        self.saved = (list(self.log), dict(self.keys))

    @precondition(lambda self: self.saved is not None)
    @rule()
    def lose(self):
        """Redis dies and comes back with what was saved."""
        self.run(self.settle())
        self.server.restart()
        self.replicated = None
        self.survives(*self.saved)

    @precondition(lambda self: self.replicated is None)
    @rule()
    def part_ways(self):
        """The replica hears nothing more of what the master acknowledges."""
        self.server.cut()
        self.replicated = (list(self.log), dict(self.keys))

    @rule(newest=st.integers(0, 3), away=st.booleans(), then=st.integers(0, 4), hub=st.integers(0, 1))
    def fail_over(self, newest, away, then, hub):
        """The replica takes over with what it has, maybe all but the newest; others may take their offsets then."""
        if newest:
            if self.replicated is None:
                self.part_ways()
            self.publish(newest, hub)
        self.run(self.settle())
        for each in self.online()[::2] if away else ():
            self.drop(each)
        self.server.hand_over()
        log, keys = self.replicated or (self.log, self.keys)
        self.saved = self.replicated = None
        self.survives(log, keys)
        if then:
            self.publish(then, hub)

    def survives(self, log, keys):
        """Who is past what survived is told, nobody else."""
        self.blind, self.unheard = True, 0
        self.log, self.keys = list(log), dict(keys)
        for each in self.all:
            if each.have > len(self.log):
                if each.hub is None:
                    each.lost = True
                else:
                    each.expected.append("reset")
                    each.have = len(self.log)
        self.run(self.settle())


@pytest.mark.fault
@pytest.mark.timeout(300)
def test_durable_groups_keep_their_promises(own_pair, monkeypatch):
    """Publishing, joining, dropping, resuming, trimming, lost messages and lost writes, in any order."""
    monkeypatch.setitem(policy._policies, Modelled.kind, Modelled())
    monkeypatch.setattr(Machine, "server", own_pair)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking on real parts takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
