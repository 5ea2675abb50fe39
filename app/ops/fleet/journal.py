"""What has happened to this replica lately, for people who look later: found by comparing what is with what was."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fanout.durable.feed import RESET_REASONS
from ops.readiness import NOT_YET, OK, STUCK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEPT = 20
"""Events that are remembered, and told with each row: a page that is opened now shows what happened before."""
TEXT_LIMIT = 120
"""Characters of a sentence that comes from elsewhere: a database's error may be a page long."""


@dataclass(frozen=True, slots=True)
class State:
    """What is compared; counts since the process began."""

    checks: Mapping[str, str] = field(default_factory=dict)
    draining: bool = False
    connections: int | None = None
    lag: float = 0.0
    """Seconds that the event loop is late."""
    too_slow: int = 0
    reconnects: int = 0
    resets: Mapping[str, int] = field(default_factory=dict)


class Journal:
    """The last events of a replica: number, when (ms since 1970), kind (`good`, `wait`, `bad`), and a sentence."""

    def __init__(self, begun: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._number = 0
        self._events: deque[list[Any]] = deque(maxlen=KEPT)
        self._before = State()
        self._lost: dict[str, float] = {}
        """Check → since when it fails."""
        self._stuck = False
        self.note("good", begun)

    @property
    def events(self) -> list[list[Any]]:
        """The last ones, oldest first."""
        return list(self._events)

    def note(self, kind: str, sentence: str) -> None:
        """Remember an event."""
        self._number += 1
        self._events.append([self._number, round(self._clock() * 1000), kind, sentence])

    def look(self, now: State) -> None:
        """Remember what has changed since the last look."""
        self._departure(now)
        for check, result in now.checks.items():
            self._check(check, result)
        self._faults(now)
        self._before = now

    def _departure(self, now: State) -> None:
        if now.draining and not self._before.draining:
            self.note("wait", f"drains, {_counted(now.connections or 0, 'connection')} open")

    def _check(self, check: str, result: str) -> None:
        name = {"redis": "Redis"}.get(check, f"the {check}")
        if result == OK:
            since = self._lost.pop(check, None)
            if since is not None:
                self.note("good", f"has {name} again, after {self._clock() - since:.0f} s")
        elif result != NOT_YET and check not in self._lost:
            self._lost[check] = self._clock()
            self.note("bad", f"is without {name}: {result[:TEXT_LIMIT]}")

    def _faults(self, now: State) -> None:
        before = self._before
        if count := now.reconnects - before.reconnects:
            self.note("wait", f"made {_counted(count, 'lost connection')} to Redis anew")
        for reason, total in now.resets.items():
            if count := total - before.resets.get(reason, 0):
                self.note("bad", f"told {_counted(count, 'client')} to reset: {RESET_REASONS.get(reason, reason)}")
        if count := now.too_slow - before.too_slow:
            self.note("bad", f"cut {_counted(count, 'client')} off, too slow to read")
        if now.lag > STUCK and not self._stuck:
            self.note("bad", f"stands still: its event loop is {now.lag:.1f} s late")
        self._stuck = now.lag > STUCK


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
