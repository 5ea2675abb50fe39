"""The generator against a real WebSocket server that can be told to misbehave."""

import asyncio
import contextlib
import os
import threading
import time
from types import SimpleNamespace

import pytest
from websockets.asyncio.server import broadcast, unix_serve

from bench.errors import BenchError
from bench.generator import Audience, audience, crowd, dump, message, round_trips
from bench.meter import Meter
from bench.parts import sockets

RECEIVERS = 5
HELD_UP = 0.1
"""Seconds that a slow room takes for each message."""


class Room:
    """Sends each message to everybody, but for its fault."""

    def __init__(self):
        self.members = []
        self.fault = "none"
        self.count = 0

    async def serve(self, connection):
        self.members.append(connection)
        async for text in connection:
            self.count += 1
            await self.send(text)

    async def send(self, text):
        if self.fault == "slow":
            await asyncio.sleep(HELD_UP)
        victim, others = self.members[1], [member for member in self.members if member is not self.members[1]]
        broadcast(others, text)
        match self.fault if self.count == 5 else "none":
            case "none" | "slow":
                await victim.send(text)
            case "doubled":
                await victim.send(text)
                await victim.send(text)
            case "changed":
                await victim.send(text.replace("x", "y", 1))
            case "pinged":
                await victim.ping()
                await victim.send(text)
            case "late":
                self.held = text
            case "lost":
                pass
        if self.fault == "late" and self.count == 6:
            await victim.send(self.held)


@pytest.fixture
def room(tmp_path):
    """A room on a unix socket, served by another thread."""
    made, loop, started = Room(), asyncio.new_event_loop(), threading.Event()
    made.path = tmp_path / "room.sock"

    async def main():
        made.over = asyncio.Event()
        async with unix_serve(made.serve, str(made.path), compression=None, close_timeout=1):
            started.set()
            await made.over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert started.wait(10)
    yield made
    loop.call_soon_threadsafe(made.over.set)
    thread.join(20)
    loop.close()


def test_what_arrives_whole_has_no_fault(room):
    """Every receiver got every publication once, in order, with a latency for each delivery."""
    with audience(room.path, "/", RECEIVERS) as receivers:
        recording = receivers.publish(10, rate=200)
        assert receivers.faults(recording) == ""
        late = receivers.latencies(recording)
        assert len(late) == 10 * RECEIVERS
        assert 0 < min(late) <= max(late) < 10


@pytest.mark.parametrize(("fault", "frames"), [("lost", 9), ("doubled", 11), ("changed", 10), ("late", 10)])
def test_a_lost_doubled_changed_or_misordered_frame_is_a_fault(room, monkeypatch, fault, frames):
    """Of one receiver of five, in one frame of ten."""
    monkeypatch.setattr("bench.generator.PATIENCE", 1)
    with audience(room.path, "/", RECEIVERS) as receivers:
        room.fault = fault
        recording = receivers.publish(10, rate=200)
        receivers._record(recording, time.monotonic() + 0.2)  # one more than was waited for, if there is
        told = f"1 of {RECEIVERS} receivers got other than was sent ({frames} of 10 frames)"
        assert receivers.faults(recording) == told


def test_one_after_the_other_they_are_published_until_one_gets_lost(room, monkeypatch):
    """Whoever publishes one by one is told at once; what was not published is missed nowhere."""
    monkeypatch.setattr("bench.generator.PATIENCE", 1)
    with audience(room.path, "/", RECEIVERS) as receivers:
        recording = receivers.recording(10)
        assert all(receivers.publish_next(recording, time.monotonic() + 0.01) for _ in range(3))
        assert receivers.faults(recording) == ""
        room.fault = "lost"
        assert [receivers.publish_next(recording, time.monotonic() + 0.01) for _ in range(7)].count(False) >= 1
        assert receivers.faults(recording) == f"1 of {RECEIVERS} receivers got other than was sent (9 of 10 frames)"


@pytest.mark.parametrize(("late", "is_void"), [(sockets.LATE, True), (1000, False)])
def test_turns_that_took_much_longer_are_void(room, monkeypatch, late, is_void):
    """They would have been at another rate than the row tells."""
    monkeypatch.setattr(sockets, "SECONDS", 0.2)
    monkeypatch.setattr(sockets, "LATE", late)
    with audience(room.path, "/", RECEIVERS) as receivers:
        room.fault = "slow"
        *_, fault = sockets.by_turns(receivers, receivers, Meter(os.getpid()), rate=20)
    assert ("publications/s went out of 20" if is_void else "") == fault.lstrip("0123456789. ")


def test_the_generator_is_judged_by_its_own_turns(room, monkeypatch):
    """One that is busy all the time is told as busy, not as half of that since two audiences have turns."""
    monkeypatch.setattr(sockets, "SECONDS", 0.2)
    monkeypatch.setattr(sockets, "time", SimpleNamespace(monotonic=time.monotonic, process_time=time.monotonic))
    with audience(room.path, "/", RECEIVERS) as receivers:
        _, _, share, _ = sockets.by_turns(receivers, receivers, Meter(os.getpid()), rate=20)
    assert share == pytest.approx(1, abs=0.1)


def test_a_keepalive_ping_is_no_fault(room):
    """It is nobody's publication."""
    with audience(room.path, "/", RECEIVERS) as receivers:
        room.fault = "pinged"
        assert receivers.faults(receivers.publish(10, rate=200)) == ""


def test_a_second_run_is_judged_by_itself(room):
    """Numbers go on, so that nothing of the first run is taken for the second's."""
    with audience(room.path, "/", RECEIVERS) as receivers:
        first, second = receivers.publish(3, rate=200), receivers.publish(3, rate=200)
        assert set(first.numbers).isdisjoint(second.numbers)
        assert receivers.faults(second) == ""


def test_a_room_that_reaches_not_all_is_refused(room, monkeypatch):
    """Before anything is measured."""
    monkeypatch.setattr("bench.generator.WARM_UP", 0.5)
    room.fault, room.count = "lost", 4
    with pytest.raises(BenchError, match="Of 5 receivers 4 got the first message"), audience(room.path, "/", RECEIVERS):
        pass


def test_a_publication_is_as_long_as_declared():
    """Whatever its number."""
    assert {len(dump(message(number))) for number in (0, 7, 123_456_789)} == {100}
    assert len(dump(message(1, 2048))) == 2048


def test_round_trips_wait_for_each_answer(room):
    """One time for each text, in order."""
    with crowd(room.path, "/") as clients:
        clients.connect(2)
        texts = [dump(message(number)) for number in range(5)]
        took = round_trips(clients.connections[0], texts, period=0.001)
        assert len(took) == 5
        assert min(took) > 0


def test_an_audience_lets_its_descriptors_go(room):
    """The same crowd can be an audience again, grown."""
    with crowd(room.path, "/") as clients:
        for size in (2, 3):
            clients.connect(size - len(clients.connections))
            with contextlib.closing(Audience(clients.connections)) as receivers:
                assert receivers.faults(receivers.publish(2, rate=200)) == ""
