"""The client of Channels' tutorial: no subprotocol and no positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.json import encode

from fanout import close_codes
from fanout.client import retry_delay
from proof.clients.link import Link
from proof.judgement.ledger import NO_OFFSET
from proof.judgement.track import SeqTrack

if TYPE_CHECKING:
    from proof.clients.batch import Batch
    from proof.generator.station import Station
    from proof.target import Answer

from proof.clients.client import Client


class PlainClient(Client):
    """The client of Channels' tutorial: no subprotocol, no positions. Its own publication coming back is its answer."""

    rank = 2
    is_plain = True

    def __init__(self, station: Station, kind: str, lane: str, room: str) -> None:
        super().__init__(station, kind, lane, room)
        self._failures = 0
        self._before = 0
        """Publications on earlier connections."""

    def _dial(self) -> Answer:
        plan = self.station.plan
        path = plan.plain_path.format(room=self.group.partition(".")[2])
        return plan.target.dial(path, plain=True, origin=plan.origin)

    def _open(self, answer: Answer) -> None:
        self.receiver.connections.append(SeqTrack(answer.replica, self.station.clock.passed()))
        self._before = len(self.publisher.offsets)
        self._link = Link(answer, self.station.reader, self, plain=True, in_bulk=True)
        if self._link.code is None:
            self._entered()
        else:  # the server closed it with its answer to the handshake
            self._part()

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
        track = self.receiver.connections[-1]
        track.left = self.station.clock.now()
        # What its own later publications have overtaken is lost; what came of the last ones nobody can tell.
        came = track.heard.get(self.name)
        self.publisher.cut(max(self._before, came.last if came else 0))

    def has(self, last: dict[str, tuple[int, int]]) -> bool:
        """Whether the last acknowledged publication of each publisher has arrived on this connection."""
        return not self.receiver.connections or self.receiver.connections[-1].has(last)
