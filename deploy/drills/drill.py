"""What one drill is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from drills.stand import Stand

FASTER = 30
"""How many times shorter than as shipped the rules wait and look back, unless a drill says otherwise."""
RECOVER_SECONDS = 150.0
"""From the first command of the runbook to the end of the alert, on a busy machine."""


def nothing_missing() -> str:
    """Return that this machine has all that a drill needs."""
    return ""


def nothing_to_prepare(_stand: Stand) -> dict[str, str]:
    """Return that the fleet starts as any other."""
    return {}


def nothing_to_check(_stand: Stand) -> None:
    """Hold the end of the alert for the end of it all."""


@dataclass(frozen=True)
class Drill:
    """A fault, and the alert whose runbook heals it."""

    name: str
    alert: str
    """Its runbook is the one that the alert itself names."""
    text: str
    """What is broken, for the list."""
    breaks: Callable[[Stand], AbstractContextManager[None]]
    """Breaks the fleet on entering; leaving ends what goes on beside it. The fleet itself is thrown away afterwards."""
    also: tuple[str, ...] = ()
    """Alerts that the same break has to make fire, and the same commands end; their runbooks say them, too."""
    runbook: str = ""
    """One for what is planned, without .md, that is followed in place of the alert's."""
    step: str | tuple[str, ...] = ""
    """How the comments begin whose commands are followed, where the runbook tells several cases apart; else all."""
    heals_itself: str = ""
    """What heals it without anybody, where that is so; the runbook then says what is looked at."""
    check: Callable[[Stand], None] = nothing_to_check
    """Called once the alert has ended. Raises DrillError when something is still not as it was."""
    programs: tuple[str, ...] = ()
    """What it needs of the distribution beside what every drill does; without them it is skipped."""
    missing: Callable[[], str] = nothing_missing
    """Returns why this machine cannot do the drill; nothing when it can."""
    prepare: Callable[[Stand], dict[str, str]] = nothing_to_prepare
    """Called before the fleet starts; returns variables for it: FANOUT_… and make's."""
    replicas: int = 3
    faster: int = FASTER
    thresholds: dict[str, str] = field(default_factory=dict)
    """Numbers in the rules, and what they are replaced by, where the machine cannot reach the shipped ones."""
    recover_seconds: float = RECOVER_SECONDS

    def follows(self, alert_runbook: str) -> str:
        """Return the path of the runbook that is followed, in the repository."""
        return f"deploy/runbooks/{self.runbook}.md" if self.runbook else alert_runbook

    @property
    def alerts(self) -> tuple[str, ...]:
        """All that have to fire, and to end."""
        return (self.alert, *self.also)
