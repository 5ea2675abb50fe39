"""Publishes at a rate, in turn on every replica: each row of the matrix fills alike, whoever connected where."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

import gevent

from proof.judgement.timeline import SECOND

if TYPE_CHECKING:
    from proof.generator.clock import Clock
    from proof.generator.plan import Plan


class Speaker(Protocol):
    """A client that can publish."""

    @property
    def lane(self) -> str:
        """What shares the rate with the other lanes in equal parts: a kind of groups."""

    @property
    def group(self) -> str:
        """Where it publishes."""

    @property
    def rank(self) -> int:
        """The lowest of a group and replica speak: those whose connection lasts and who get acknowledgements."""

    def publish(self, due: int) -> None:
        """Publish what was to leave at `due`, microseconds of the master's clock."""


class Wheel:
    """Whose turn it is: lane by lane, then group by group, replica by replica, speaker by speaker."""

    def __init__(self, most: int) -> None:
        """`most` speakers of a group on a replica have their turns; the others listen."""
        self._most = most
        self._lanes: dict[str, dict[str, dict[str, list[Speaker]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(list))
        )
        self._turns: dict[tuple[str, ...], int] = defaultdict(int)

    def add(self, speaker: Speaker, replica: str) -> None:
        """Give a speaker turns."""
        speakers = self._lanes[speaker.lane][speaker.group][replica]
        insort(speakers, speaker, key=lambda each: each.rank)

    def remove(self, speaker: Speaker, replica: str) -> None:
        """Take a speaker out; what is empty has no turns."""
        groups = self._lanes[speaker.lane]
        replicas = groups[speaker.group]
        speakers = replicas[replica]
        speakers.remove(speaker)
        if not speakers:
            del replicas[replica]
        if not replicas:
            del groups[speaker.group]
        if not groups:
            del self._lanes[speaker.lane]

    def next(self) -> Speaker | None:
        """Return who is to speak."""
        if not self._lanes:
            return None
        lane = self._turn((), list(self._lanes))
        group = self._turn((lane,), list(self._lanes[lane]))
        replica = self._turn((lane, group), list(self._lanes[lane][group]))
        speakers = self._lanes[lane][group][replica]
        best = [each for each in speakers[: self._most] if each.rank == speakers[0].rank]
        number = self._count((lane, group, replica))
        return best[number % len(best)]

    def _turn(self, key: tuple[str, ...], names: list[str]) -> str:
        return sorted(names)[self._count(key) % len(names)]

    def _count(self, key: tuple[str, ...]) -> int:
        self._turns[key] += 1
        return self._turns[key] - 1


class Pacer:
    """Of one process: its part of the rate."""

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self.wheel = Wheel(plan.publishers)
        self._every = SECOND * plan.workers / plan.rate
        self._phase = plan.index / plan.workers
        self._clock = clock
        self._task: gevent.Greenlet | None = None
        self._stopped = False
        self.began: float | None = None
        """Seconds of the master's clock at which publishing began."""

    def start(self) -> None:
        """Begin; harmless when repeated, and nothing after the end."""
        if self._task is None and not self._stopped:
            self.began = self._clock.now() / SECOND
            self._task = gevent.spawn(self._run)

    @property
    def has_failed(self) -> bool:
        """Whether it ended by a fault of its own: what is published from then on is nothing."""
        return self._task is not None and self._task.exception is not None

    def stop(self) -> None:
        """End for good."""
        self._stopped = True
        if self._task is not None:
            self._task.kill()

    def _run(self) -> None:
        due = self._clock.now() + self._phase * self._every
        while True:
            gevent.sleep(max(0.0, (due - self._clock.now()) / SECOND))
            # What leaves late because this process is busy counts from when it was due.
            if (speaker := self.wheel.next()) is not None:
                speaker.publish(int(due))
            due += self._every
