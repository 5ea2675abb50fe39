"""Carries out a drill: break, detect, mitigate by the runbook's own commands, verify."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drills import rules, runbook
from drills.errors import DrillError
from drills.prometheus import RULES
from drills.watch import Watch
from fleet import waiting
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from drills.drill import Drill
    from drills.prometheus import Alert
    from drills.stand import Stand
    from fleet.progress import Progress

DETECT_SECONDS = 90.0
"""From the break to the alert, on a busy machine."""
STALE_SECONDS = 5.0
SHOWN_CHARACTERS = 44
"""Of a command in a line about it."""
PROOF = 'make load USERS=60 RATE=20 DURATION=5 ARGS="--p99 2000"'
"""The load test's proof, short: nothing is lost from any replica to any other."""


@dataclass(frozen=True)
class Outcome:
    """What a drill came to, for one of its alerts."""

    name: str
    alert: str
    verdict: str = "passed"
    """passed, failed or skipped."""
    reason: str = ""
    detect: float | None = None
    """Seconds from the break to the alert."""
    shipped_wait: float | None = None
    """Seconds that the alert's condition has to hold, as shipped."""
    recover: float | None = None
    """Seconds from the first command of the runbook to the alert's end, with each replica hearing every other."""
    also: tuple[str, ...] = ()
    """Other alerts that fired meanwhile."""


class Conduct:
    """One drill on its stand."""

    def __init__(self, drill: Drill, stand: Stand, progress: Progress, root: Path = REPOSITORY) -> None:
        self.drill = drill
        self.stand = stand
        self.progress = progress
        self._root = root
        """Where the path of a runbook begins that an alert names."""
        self._watch = Watch(stand.prometheus, drill.alerts)

    def carry_out(self, *, proof: bool) -> list[Outcome]:
        """Break the fleet and heal it; `proof`: end with the load test. Raise DrillError when that fails.

        Return what it came to for each of the drill's alerts.
        """
        drill, waits = self.drill, {name: shipped_wait(name) for name in self.drill.alerts}
        self._tell_terms(waits[drill.alert])
        begun = time.monotonic()
        with contextlib.ExitStack() as stack:
            with self.progress.step(f"break: {drill.name}"):
                stack.enter_context(drill.breaks(self.stand))
            alert = self._detect()
            healing = time.monotonic()
            self._mitigate(alert)
            heard = self._verify()
        if proof:
            with self.progress.step("verify: the proof, 60 clients for 5 s"):
                self.stand.must(PROOF)
        others = tuple(sorted(self._watch.fired - set(drill.alerts)))
        return [
            Outcome(
                drill.name, name, detect=sighting.since - begun, shipped_wait=waits[name],
                recover=max(heard, self._watch.ended[name]) - healing, also=others,
            )
            for name, sighting in self._watch.seen.items()
        ]  # fmt: skip

    def _tell_terms(self, wait: float) -> None:
        changed = "".join(f", {shipped} as {ours}" for shipped, ours in self.drill.thresholds.items())
        self.progress.say(
            f"  The rules are those of deploy/prometheus with times {self.stand.faster} times shorter{changed}; "
            f"as shipped, {self.drill.alert} waits {wait:g} s."
        )

    def _detect(self) -> Alert:
        """Return the drill's first alert once all of them have fired."""
        with self.progress.step(f"detect: {', '.join(self.drill.alerts)}") as step:
            if not waiting.until(lambda: not self._watch.unseen(), DETECT_SECONDS):
                missing = " and ".join(self._watch.unseen())
                raise DrillError(f"{missing} does not fire within {DETECT_SECONDS:g} s of the break.")
            found = self._watch.seen[self.drill.alert].alert
            step.note = found.summary
        # For a moment no alert may fire: when Prometheus came late to a replica, or the rules to its figures.
        if len(self.drill.alerts) == 1 and not waiting.until(lambda: self._watch.firing() != [], STALE_SECONDS):
            raise DrillError(f"{self.drill.alert} has fired and ended again before anybody did anything.")
        return found

    def _mitigate(self, alert: Alert) -> None:
        """Run what the runbook says that the alert names, or that the drill follows instead."""
        path = self.drill.follows(alert.runbook)
        if self.drill.heals_itself:
            self.progress.say(f"  {self.drill.heals_itself}; the runbook's commands are followed all the same.")
        for step in runbook.mitigation(self._root / path, self.drill.step):
            self.progress.say(f"  {path}: {step.comment}")
            for command in step.commands:
                shown = command if len(command) <= SHOWN_CHARACTERS else f"{command[: SHOWN_CHARACTERS - 1]}…"
                with self.progress.step(f"$ {shown}"):
                    self.stand.must(self.stand.translated(command))

    def _verify(self) -> float:
        """Wait until the replicas hear each other and the alerts have ended. Return when the former was."""
        deadline = time.monotonic() + self.drill.recover_seconds
        with self.progress.step("verify: every replica hears every other"):
            self._await_hearing(deadline)
        heard = time.monotonic()
        with self.progress.step(f"verify: {', '.join(self.drill.alerts)} ends"):
            if not waiting.until(lambda: self._watch.firing() == [], max(0.0, deadline - heard)):
                raise DrillError(
                    f"{' and '.join(self._watch.firing() or self.drill.alerts)} still fires "
                    f"{self.drill.recover_seconds:g} s after the runbook's commands: they do not heal this."
                )
        self.drill.check(self.stand)
        return heard

    def _await_hearing(self, deadline: float) -> None:
        while True:
            try:
                self.stand.check_hearing()
            except DrillError as error:
                if time.monotonic() > deadline:
                    raise DrillError(f"After the runbook's commands: {error}") from None
                time.sleep(waiting.POLL_SECONDS)
            else:
                return


def shipped_wait(alert: str) -> float:
    """Return the seconds for which an alert has to hold before it fires, as shipped. Raise DrillError."""
    for file in sorted(RULES.glob("*.yml")):
        found = rules.waits(file.read_text(encoding="utf-8"), alert)
        if found is not None:
            return found
    raise DrillError(f"No rule of deploy/prometheus has the alert {alert}.")
