"""The clients that users are: each keeps a track of what it got, and comes back when its connection is lost."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from msgspec.json import encode

from fanout import close_codes
from fanout.client import Core, Joined, Later, Publication, Refused, Reset, Settled, retry_delay
from fanout.client.errors import ClientError
from fanout.client.frames import Published, decode
from fanout.errors import Unavailable
from fanout.positions import Position
from proof import message
from proof.errors import ProofError
from proof.ledger import NO_OFFSET, REFUSED
from proof.ledger import Receiver as Account
from proof.link import Link
from proof.message import Said
from proof.track import OffsetTrack, SeqTrack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanout.client import Event as CoreEvent
    from proof.batch import Batch
    from proof.station import Station
    from proof.target import Answer

Targets = dict[str, dict[str, tuple[int, int]]]
"""By group and publisher: number and offset of the last publication that was acknowledged."""


class Client:
    """What all have: one connection after the other, until the run or the user ends."""

    rank = 0
    is_plain = False
    is_late = False
    """Whether it came when the run was about to end: nothing is expected of it."""
    takes_latest = False
    """Whether only the latest value of each publisher counts."""
    note = ""
    """What is said of its kind in the result."""

    def __init__(self, station: Station, kind: str, lane: str, room: str) -> None:
        self.station = station
        self.kind = kind
        self.lane = lane
        number = station.enter(self, counts=True, note=self.note)
        self.name = f"{station.plan.index}.{kind}.{number}"
        self.room = room
        self.group = station.plan.group(room, latest=self.takes_latest)
        self.receiver = station.receiver(Account(self.name, kind, self.group, is_present=not self.is_late))
        self.publisher = station.publisher(self.name, self.group, kind)
        self._link: Link | None = None
        self._over = Event()
        self._dialled = self._opened = 0.0
        self._lost_at: float | None = None

    # -- the user's greenlet ----------------------------------------------------------------------------------

    def run(self) -> None:
        """Live until killed."""
        try:
            while (delay := self._one()) is not None:
                gevent.sleep(delay)
            if not self.station.is_closed:
                self.receiver.is_connected = False
            Event().wait()
        finally:
            self._leave()

    def _one(self) -> float | None:
        """Make a connection and use it until it ends; return the seconds until the next, None for never."""
        self._dialled = time.monotonic()
        try:
            answer = self._dial()
        except ProofError as error:
            self.station.refused(self.kind, str(error))
            return self._after(close_codes.ABNORMAL, 0.0)
        self._opened = time.monotonic()
        self.station.connected(self.kind, self._opened - self._dialled)
        self._over.clear()
        self._open(answer)
        self._stay()
        if self.station.is_closed:
            return None
        return self._after(self._code, time.monotonic() - self._opened)

    def _dial(self) -> Answer:
        plan = self.station.plan
        return plan.target.dial(plan.path, origin=plan.origin)

    def publish(self, due: int) -> None:
        """Publish what was to leave at `due`, microseconds of the master's clock."""
        raise NotImplementedError

    def _stay(self) -> None:
        """Wait until the connection is over."""
        self._over.wait()

    def _open(self, answer: Answer) -> None:
        raise NotImplementedError

    def _after(self, code: int, held: float) -> float | None:
        raise NotImplementedError

    @property
    def _code(self) -> int:
        return close_codes.ABNORMAL if self._link is None or self._link.code is None else self._link.code

    def _leave(self) -> None:
        """The user ends: when the run goes on, nothing more is expected of it."""
        if not self.station.is_closed:
            self.receiver.is_present = False
        self.hang_up()

    def hang_up(self) -> None:
        """End the connection, if there is one."""
        if self._link is not None:
            self._link.goodbye()

    # -- in the event loop ------------------------------------------------------------------------------------

    def _entered(self) -> None:
        """It is in its group."""
        now = time.monotonic()
        self.station.joined(now - self._dialled, now - self._opened)
        if self._lost_at is not None:
            tally = self.station.kind(self.kind)
            tally.away = max(tally.away, now - self._lost_at)
        self.receiver.is_connected = True
        self.station.pacer.wheel.add(self, self._replica)

    def lost(self, code: int) -> None:  # noqa: ARG002 - the link keeps it
        """The connection is over."""
        if self.receiver.is_connected and not self.station.is_closed:
            self.receiver.is_connected = False
            self._lost_at = time.monotonic()
            self.station.left()
            self.station.pacer.wheel.remove(self, self._replica)
            self._part()
        self._over.set()

    def _part(self) -> None:
        raise NotImplementedError

    @property
    def _replica(self) -> str:
        return self._link.replica if self._link else ""

    def _write(self, due: int) -> tuple[int, dict[str, str]]:
        """Return number and data of a new publication."""
        seq = self.publisher.add(due, self._replica)
        self.station.published(due)
        text = message.write(Said(self.name, seq, due, self._replica), self.station.plan.size)
        return seq, {"message": text, "name": self.name}

    # -- the end of the run -----------------------------------------------------------------------------------

    def hush(self) -> None:
        """Do nothing on purpose any more that would keep a publication from arriving."""

    def is_done(self, last: dict[str, tuple[int, int]]) -> bool:
        """Whether it is in its group, and everything that was acknowledged there has arrived."""
        return self.receiver.is_connected and self.has(last)

    def has(self, last: dict[str, tuple[int, int]]) -> bool:
        """Whether everything that was acknowledged in its group has arrived."""
        raise NotImplementedError

    def account(self) -> None:
        """Bring the receiver's account up to date."""


class GroupClient(Client):
    """A client of `fanout.v1`: it joins, publishes and resumes by the core of `fanout.client`.

    What arrives it judges strictly: on a live connection nothing may be missing, come twice or out of order.
    """

    reads_in_bulk = True
    is_timed = True
    """Whether its latencies count."""

    def __init__(self, station: Station, kind: str, lane: str, room: str) -> None:
        super().__init__(station, kind, lane, room)
        self._core = Core()
        self._tickets: dict[int, int] = {}
        self._track: OffsetTrack | None = None
        self._seqs: SeqTrack | None = None
        self._timed_after = 0
        """Offset up to which publications are caught up with, and have no latency."""

    def _open(self, answer: Answer) -> None:
        self._core.leave(self.group)
        track = self._track
        since = Position(track.epoch, track.expected - 1) if track is not None else None
        self._core.join(self.group, since=since)
        self._core.opened()
        self._link = Link(answer, self.station.reader, self, plain=False, in_bulk=self.reads_in_bulk)
        self._send()

    def _after(self, code: int, held: float) -> float | None:
        delay, events = self._core.lost(code, held)
        self._act(events)
        if delay is None:
            self.station.complain("connect", f"The server closed a connection of {self.kind} for good, with {code}.")
        return delay

    def _send(self) -> None:
        if self._link is not None:
            for text in self._core.outgoing():
                self._link.send(text)

    def publish(self, due: int) -> None:
        """Publish what was to leave at `due`."""
        seq, data = self._write(due)
        try:
            self._tickets[self._core.publish(self.group, data)] = seq
        except ClientError:  # ephemeral, and the connection has just gone: it was not sent
            self.publisher.offsets[seq - 1] = REFUSED
        self._send()

    # -- what arrives -----------------------------------------------------------------------------------------

    def take(self, batch: Batch) -> bool:
        """Judge publications that were read in bulk."""
        track = self._track
        if track is None:
            return self._take_unnumbered(batch)
        if batch.first == track.expected:
            track.expected = batch.last + 1
        else:
            for offset in batch.offsets:
                track.take(offset)
        if batch.epoch != track.epoch:
            track.enter(batch.epoch)
        if batch.offsets[0] > self._timed_after:
            return True
        self.station.untimed(len(batch.offsets))
        return False

    def _take_unnumbered(self, batch: Batch) -> bool:
        if self._seqs is None:
            return False
        for said in batch.said:
            if said is not None:
                self._seqs.take(said.publisher, said.seq)
        return True

    def hear(self, text: bytes) -> None:
        """Let the core deal with a frame; it knows no publications where they are read in bulk."""
        if self.reads_in_bulk and isinstance(frame := decode(text), Published):
            self._take_foreign(frame)
            return
        self._act(self._core.receive(text))
        self._send()

    def _take_foreign(self, frame: Published) -> None:
        """Judge a publication that no publisher of ours made: it has its place in the stream all the same."""
        if self._track is not None and frame.offset is not None:
            self._track.take(frame.offset)

    def _act(self, events: Iterable[CoreEvent]) -> None:
        for event in events:
            match event:
                case Publication():
                    self._read(event)
                case Settled():
                    self._settled(event)
                case Joined():
                    self._joined(event)
                case Reset(position=position, reason=reason):
                    self.station.kind(self.kind).resets += 1
                    if self._track is not None:
                        self._track.reset(reason, position.epoch, position.offset)
                case Refused(error=error):
                    self.receiver.is_present = False
                    self.station.barred(self.kind, str(error))
                case Later(seconds=seconds):
                    gevent.spawn_later(seconds, self._again, event)

    def _again(self, later: Later) -> None:
        later.again()
        self._send()

    def _joined(self, event: Joined) -> None:
        if self._link is not None and not self._link.replica:
            self._link.replica = event.replica
            self._link.arrivals = self.station.reader.arrivals(event.replica)
        if event.position is None:
            self._seqs = SeqTrack(self._replica, self.station.clock.now(), latest=self.takes_latest)
            self.receiver.connections.append(self._seqs)
        else:
            self._go_on(event, event.position)
        if not self.receiver.is_connected:  # the core joins again to fill a hole
            self._entered()

    def _go_on(self, event: Joined, position: Position) -> None:
        if self._track is None:
            self._track = self.receiver.offsets = OffsetTrack()
        elif event.reset is None and not self.receiver.is_connected:
            self.station.kind(self.kind).resumes += 1
        if not self.receiver.is_connected:
            self._track.join(self._replica, position.epoch, position.offset - event.recovered)
        self._timed_after = position.offset

    def _read(self, event: Publication) -> None:
        """Judge a publication that the core hands out."""
        text = event.data.get("message") if isinstance(event.data, dict) else None
        said = message.read(text) if isinstance(text, str) else None
        if self._track is not None and event.offset is not None:
            self._track.take(event.offset)
            if (event.epoch or "") != self._track.epoch:
                self._track.enter(event.epoch or "")
            if said is not None:
                self.station.saw(self.group, event.offset, said)
        elif self._seqs is not None and said is not None:
            self._seqs.take(said.publisher, said.seq)
        if event.recovered or not self.is_timed:
            self.station.untimed(1)
        elif said is not None:
            self.station.came(said, self._replica)

    def _settled(self, event: Settled) -> None:
        seq = self._tickets.pop(event.ticket, None)
        if seq is None:
            return
        if event.error is None:
            offset = event.position.offset if event.position else NO_OFFSET
            self.station.acknowledged(self.publisher, seq, offset)
        else:
            self.publisher.offsets[seq - 1] = REFUSED
            if not isinstance(event.error, ClientError | Unavailable):
                self.station.complain("publish → ack", str(event.error))

    def _part(self) -> None:
        if self._track is not None:
            self._track.leave()
        if self._seqs is not None:
            self._seqs.left = self.station.clock.now()

    def has(self, last: dict[str, tuple[int, int]]) -> bool:
        """Whether everything that was acknowledged in its group has arrived."""
        if self._track is not None:
            return self._track.expected > max((offset for _, offset in last.values()), default=0)
        return self._seqs is None or _has(self._seqs, last)

    def account(self) -> None:
        """End the last stay where the receiver stands."""
        if self._track is not None:
            self._track.leave()


class ResumingClient(GroupClient):
    """It reads through the core of `fanout.client`, which fills holes and drops doubles: what an application gets."""

    rank = 1
    reads_in_bulk = False


class DroppingClient(ResumingClient):
    """It loses its connection every few seconds, as a phone does, and resumes."""

    HOLDS = (3.0, 8.0)
    """Seconds of a connection, at least and at most."""

    def _stay(self) -> None:
        if not self._over.wait(random.uniform(*self.HOLDS)) and not self.station.is_hushed and self._link:  # noqa: S311
            self._link.end(close_codes.ABNORMAL)
        self._over.wait()


class SlowClient(ResumingClient):
    """It reads nothing for some seconds again and again; when the server cuts it off (4008) it resumes."""

    is_timed = False
    note = "It reads late on purpose: its latencies do not count."
    READS = 1.0
    PAUSES = 4.0
    """Seconds."""

    def _stay(self) -> None:
        while not self._over.wait(self.READS):
            if self._link is None or self.station.is_hushed:
                self._over.wait()
                return
            self._link.pause()
            self.station.hushed.wait(self.PAUSES)
            self._link.resume()


class DashboardClient(GroupClient):
    """It wants the latest value of each publisher; an older one that is passed over is superseded."""

    takes_latest = True
    note = "Only the latest value of each publisher has to be there at the end; older ones may be superseded."


class PlainClient(Client):
    """The client of Channels' tutorial: no subprotocol, no positions. Its own publication coming back is its answer."""

    rank = 2
    is_plain = True

    def __init__(self, station: Station, kind: str, lane: str, room: str) -> None:
        super().__init__(station, kind, lane, room)
        self._failures = 0

    def _dial(self) -> Answer:
        plan = self.station.plan
        path = plan.plain_path.format(room=self.group.partition(".")[2])
        return plan.target.dial(path, plain=True, origin=plan.origin)

    def _open(self, answer: Answer) -> None:
        self.receiver.connections.append(SeqTrack(answer.replica, self.station.clock.now()))
        self._link = Link(answer, self.station.reader, self, plain=True, in_bulk=True)
        if self._link.code is None:
            self._entered()

    def _after(self, code: int, held: float) -> float | None:
        self._failures = 0 if held > 1 else self._failures + 1
        if close_codes.may_return(code):
            return retry_delay(code, self._failures)
        self.station.complain("connect", f"The server closed a plain connection for good, with {code}.")
        return None

    def publish(self, due: int) -> None:
        """Publish what was to leave at `due`."""
        _, data = self._write(due)
        if self._link is not None:
            self._link.send(encode(data))

    def take(self, batch: Batch) -> bool:
        """Judge publications."""
        track = self.receiver.connections[-1]
        for said in batch.said:
            if said is not None:
                track.take(said.publisher, said.seq)
                if said.publisher == self.name and self.publisher.offsets[said.seq - 1] != NO_OFFSET:
                    self.station.acknowledged(self.publisher, said.seq, NO_OFFSET)
        return True

    def hear(self, text: bytes) -> None:
        """A frame that no publisher of ours made."""

    def _part(self) -> None:
        self.receiver.connections[-1].left = self.station.clock.now()

    def has(self, last: dict[str, tuple[int, int]]) -> bool:
        """Whether the last acknowledged publication of each publisher has arrived on this connection."""
        return not self.receiver.connections or _has(self.receiver.connections[-1], last)


def _has(track: SeqTrack, last: dict[str, tuple[int, int]]) -> bool:
    heard: dict[str, Any] = track.heard
    return all(name in heard and heard[name].last >= seq for name, (seq, _) in last.items())
