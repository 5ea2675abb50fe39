"""The client's core against a model of a server that loses, trims and fails over: nothing is silently missing."""

import json
from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fanout.client import Core, Later, Publication, Reset, Settled
from fanout.positions import Position, Top

GROUP = "chat.a"
KEPT = 6


class Server:
    """One durable group as PROTOCOL.md describes it; what it says waits in `frames` until the client hears it."""

    def __init__(self):
        self.epoch, self.offset, self.past = "e0", 0, {}
        self.stream = []
        self.keys = {}
        self.connected = self.subscribed = False
        self.frames = deque()
        self.resets = 0
        self.lost_data = set()

    @property
    def top(self):
        return Top(Position(self.epoch, self.offset), self.past)

    def say(self, kind, **fields):
        self.frames.append(json.dumps({"type": kind, **fields}).encode())

    def publication(self, offset, data):
        self.say("publication", group=GROUP, epoch=self.epoch, offset=offset, data=data)

    def append(self, data, key, *, live=True):
        if key in self.keys:
            return self.keys[key]
        self.offset += 1
        self.stream = [*self.stream, (self.offset, data)][-KEPT:]
        self.keys[key] = Position(self.epoch, self.offset)
        if self.subscribed and live:
            self.publication(self.offset, data)
        return self.keys[key]

    def lose(self, count):
        """Fail over: the newest `count` publications are gone, and who is connected is told."""
        self.past = {self.epoch: self.offset - min(count, len(self.stream)), **self.past}
        gone = self.stream[len(self.stream) - min(count, len(self.stream)) :]
        self.stream = self.stream[: len(self.stream) - len(gone)]
        self.lost_data |= {data for _, data in gone}
        self.offset -= len(gone)
        self.past = {epoch: min(last, self.offset) for epoch, last in self.past.items()}
        self.epoch = f"e{len(self.past)}"
        self.keys = {key: at for key, at in self.keys.items() if at.offset <= self.offset}
        if self.subscribed and gone:
            self.resets += 1
            self.say("reset", group=GROUP, epoch=self.epoch, offset=self.offset, reason="lost")

    def hear(self, text, *, unavailable=False):
        frame = json.loads(text)
        if unavailable:
            self.say("error", id=frame["id"], code="unavailable", message="Redis is away.")
        elif frame["type"] == "publish":
            position = self.append(frame["data"], frame["key"])
            self.say("ack", id=frame["id"], epoch=position.epoch, offset=position.offset)
        elif frame["type"] == "join":
            self.join(frame)

    def join(self, frame):
        self.subscribed = True
        behind, reset = [], None
        if frame["since"]:
            after = self.top.translate(Position(**frame["since"]))
            behind = [entry for entry in self.stream if after is not None and entry[0] > after]
            if after is None:
                reset = "lost"
            elif len(behind) < self.offset - after:
                behind, reset = [], "trimmed"
        self.resets += reset is not None
        fields = {"reset": reset} if reset else {}
        self.say(
            "joined", id=frame["id"], group=GROUP, replica="web-1",
            epoch=self.epoch, offset=self.offset, recovered=len(behind), **fields,
        )  # fmt: skip
        for offset, data in behind:
            self.publication(offset, data)


class ClientOfAServer(RuleBasedStateMachine):
    """Publish, lose frames and connections, trim, fail over, run out of room, in any order."""

    def __init__(self):
        super().__init__()
        self.server, self.core = Server(), Core(rand=lambda: 0.5)
        self.events, self.laters, self.acked = [], [], {}
        self.tickets = {}
        self.serial = 0
        self.core.join(GROUP)
        self.connect()
        self.hear_all()

    # -- what happens --------------------------------------------------------------------------------

    def connect(self):
        self.server.connected = True
        self.core.opened()

    def act(self, events):
        for event in events:
            match event:
                case Later():
                    self.laters.append(event)
                case Settled():
                    assert event.error is None
                    self.acked[self.tickets[event.ticket]] = event.position
                case Publication() | Reset():
                    self.events.append(event)

    def flush(self, *, unavailable=False):
        for text in self.core.outgoing():
            self.server.hear(text, unavailable=unavailable)

    def hear_all(self):
        """Let both sides say all that they have to say."""
        while True:
            self.flush()
            if not self.server.frames:
                return
            self.act(self.core.receive(self.server.frames.popleft()))

    def new(self):
        self.serial += 1
        return self.serial

    @rule()
    def somebody_publishes(self):
        data = self.new()
        self.server.append(data, f"other {data}")

    @rule()
    def a_message_is_lost_on_its_way(self):
        """The replica has not noticed yet: the client sees the gap at the next publication."""
        data = self.new()
        self.server.append(data, f"other {data}", live=False)

    @rule()
    def the_client_publishes(self):
        data = self.new()
        self.tickets[self.core.publish(GROUP, data)] = data

    @precondition(lambda self: self.server.connected)
    @rule(unavailable=st.booleans())
    def the_server_hears(self, unavailable):
        self.flush(unavailable=unavailable)

    @precondition(lambda self: self.server.frames)
    @rule(room=st.booleans(), count=st.integers(1, 4), twice=st.booleans())
    def the_client_hears(self, room, count, twice):
        for _ in range(min(count, len(self.server.frames))):
            text = self.server.frames.popleft()
            self.act(self.core.receive(text, room=room))
            if twice and b'"publication"' in text:
                self.act(self.core.receive(text, room=room))

    @rule()
    def there_is_room(self):
        self.core.resume()

    @precondition(lambda self: self.laters)
    @rule()
    def a_wait_ends(self):
        self.laters.pop(0).again()

    @precondition(lambda self: self.server.connected)
    @rule(code=st.sampled_from([1006, 1012, 4008]))
    def the_connection_is_lost(self, code):
        """And with it what is under way in both directions."""
        self.server.connected = self.server.subscribed = False
        self.server.frames.clear()
        delay, events = self.core.lost(code)
        assert delay is not None
        self.act(events)

    @precondition(lambda self: not self.server.connected)
    @rule()
    def the_client_comes_back(self):
        self.connect()

    @rule(count=st.integers(0, 3))
    def the_server_fails_over(self, count):
        self.server.lose(count)

    # -- what must hold --------------------------------------------------------------------------------

    @invariant()
    def nothing_is_silently_missing(self):
        """Offsets go on one by one, or a Reset stands between."""
        at = None
        for event in self.events:
            if isinstance(event, Reset):
                at = event.position.offset
            else:
                assert at is None or event.offset == at + 1, self.events
                at = event.offset

    @invariant()
    def nothing_comes_twice(self):
        """Each once, but for one that the server lost before its publisher had the acknowledgement, and got again."""
        told = [event.data for event in self.events if isinstance(event, Publication)]
        told = [data for data in told if data not in self.server.lost_data]
        assert len(told) == len(set(told)), told

    @invariant()
    def no_reset_is_made_up(self):
        """The server had to tell each one."""
        assert sum(isinstance(event, Reset) for event in self.events) <= self.server.resets

    def teardown(self):
        """When all is well again the client has all, up to the end, and each publication of its own is there once."""
        if not self.server.connected:
            self.connect()
        self.hear_all()
        while self.laters or self.core.skipped:
            for later in self.laters:
                later.again()
            self.laters.clear()
            self.core.resume()
            self.hear_all()
        for _ in range(2):  # the first shows a gap at the end, as the replica's own check would
            self.somebody_publishes()
            self.hear_all()
        self.nothing_is_silently_missing()
        self.nothing_comes_twice()
        self.no_reset_is_made_up()
        told = [event.data for event in self.events if isinstance(event, Publication)]
        assert told[-1] == self.serial
        assert self.core.position(GROUP) == self.server.top.position
        assert set(self.acked) == set(self.tickets.values())


ClientOfAServer.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestTheCore = ClientOfAServer.TestCase
