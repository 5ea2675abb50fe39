"""What all clients of a run have in common: one connection after the other, a track of what came, a last word."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

from fanout import close_codes
from proof.clients import message
from proof.clients.message import Said
from proof.errors import ProofError
from proof.judgement.ledger import Receiver

if TYPE_CHECKING:
    from proof.clients.link import Link
    from proof.generator.station import Station
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
        self.receiver = station.receiver(Receiver(self.name, kind, self.group, is_present=not self.is_late))
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
        except gevent.GreenletExit:
            self._leave()
            raise
        finally:  # who fails by a fault of his own has not left: he is missed
            self.hang_up()

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
