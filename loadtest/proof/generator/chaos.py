"""What is done to the fleet while the proof runs, through the verbs of the Makefile: each run mode serves it."""

from __future__ import annotations

import argparse
import re
import subprocess
import time
from typing import TYPE_CHECKING

import gevent

from proof.judgement.result import Event
from proof.target import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = {
    "restart": ("restart",),
    "redis-kill": ("chaos", "WHAT=redis-kill"),
    "reload": ("chaos", "WHAT=reload"),
}
EVERY = 10.0
"""Seconds between two events where the run has no end of its own."""
LIMIT = 300.0
"""Seconds of one command: a restart of many replicas drains each of them."""
STEP = re.compile(r"([a-z-]+)(?:@(\d+(?:\.\d+)?))?")


def parse(text: str) -> str:
    """Return the text if it names what there is. Raise ArgumentTypeError."""
    for step in filter(None, text.split(",")):
        match = STEP.fullmatch(step.strip())
        if match is None or match[1] not in COMMANDS:
            raise argparse.ArgumentTypeError(
                f"{step.strip()} is none of {', '.join(COMMANDS)}, each with @seconds if wanted"
            )
    return text


def schedule(text: str, seconds: float | None) -> list[tuple[float, str]]:
    """Return when to do what; `seconds` is how long publications flow, None for no end."""
    steps = [match for step in text.split(",") if (match := STEP.fullmatch(step.strip()))]
    every = EVERY if seconds is None else seconds / (len(steps) + 1)
    return sorted((float(step[2]) if step[2] else every * number, step[1]) for number, step in enumerate(steps, 1))


class Chaos:
    """Does what was scheduled, one after the other."""

    def __init__(self, steps: Sequence[tuple[float, str]], since: Callable[[], float | None]) -> None:
        """`since` returns the seconds since the first publication, None before it."""
        self.events: list[Event] = []
        self._since = since
        self._steps = steps
        self._stopped = False
        self._task = gevent.spawn(self._run)

    def finish(self) -> list[Event]:
        """Begin nothing more, wait for what is under way; return what was done."""
        self._stopped = True
        now = self._since() or 0.0
        self._task.join()
        return self.events + [
            Event(at, name, detail=f"{_missed(at, now)}: let it run longer.", failed=True)
            for at, name in self._steps[len(self.events) :]
        ]

    def _run(self) -> None:
        for at, name in self._steps:
            while not self._stopped and ((now := self._since()) is None or now < at):
                gevent.sleep(0.1)
            if self._stopped:
                return
            self.events.append(self._do(name))

    def _do(self, name: str) -> Event:
        began = self._since() or 0.0
        started = time.monotonic()
        try:
            done = subprocess.run(
                ["make", "--no-print-directory", "-C", str(REPOSITORY), *COMMANDS[name]],
                capture_output=True, text=True, check=False, timeout=LIMIT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            said = (done.stderr.strip() or done.stdout.strip()).splitlines() if done.returncode else []
            failed, detail = done.returncode != 0, said[-1] if said else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            failed, detail = True, str(error)
        return Event(began, name, began + time.monotonic() - started, detail, failed)


def _missed(at: float, now: float) -> str:
    if now < at:
        return f"the run ended before second {at:.0f}"
    return "what was done before it took to the end of the run"
