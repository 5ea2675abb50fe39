"""The client of `fanout.v1`: it joins, publishes and resumes by the core of `fanout.client`, and judges strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gevent

from fanout.client import Core, Joined, Later, Publication, Refused, Reset, Settled
from fanout.client.errors import ClientError
from fanout.client.frames import Published, decode
from fanout.errors import Unavailable
from fanout.positions import Position
from proof.clients import message
from proof.clients.link import Link
from proof.judgement.ledger import NO_OFFSET, REFUSED
from proof.judgement.track import OffsetTrack, SeqTrack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanout.client import Event as CoreEvent
    from proof.clients.batch import Batch
    from proof.generator.station import Station
    from proof.target import Answer

from proof.clients.client import Client


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
        if batch.group != self.group:
            self.station.strayed(len(batch.offsets))
            return False
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
        if frame.group != self.group:
            self.station.strayed(1)
        elif self._track is not None and frame.offset is not None:
            self._track.take(frame.offset)
            self.station.saw(self.group, frame.offset, None)

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
            self._seqs = SeqTrack(self._replica, self.station.clock.passed(), latest=self.takes_latest)
            self.receiver.connections.append(self._seqs)
        else:
            self._go_on(event, event.position)
        if not self.receiver.is_connected:  # the core joins again to fill a gap
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
        return self._seqs is None or self._seqs.has(last)

    def account(self) -> None:
        """End the last stay where the receiver stands."""
        if self._track is not None:
            self._track.leave()
