"""`make soak`: the fault tests again and again, and a table of what they came to."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from fleet import packages
from fleet.errors import FAILED, FleetError
from fleet.options import REPOSITORY
from fleet.progress import Step
from fleet.quality import environ
from fleet.testing import TEST_PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

REPEAT = 20
"""Rounds where nothing else is asked for: a test that fails once in 20 is a bug."""
ROUNDS_A_CORE = 2
"""Rounds side by side for each core: most of their time they wait, for a Redis that stands still or a Sentinel."""
ROUND_SECONDS = 900
"""For one round, which takes some 200 s: what takes longer hangs, and counts as failed."""
TEST_SECONDS = 300
"""For one test, beside the other rounds; what hangs ends its whole round."""
LONG = "SOAK"
"""A variable that tells tests to take the time that `make test` has not."""
NOTHING_SELECTED = 5  # pytest's exit code
ITSELF = "pytest itself"
"""Named in the table when a round ended before its tests had: killed, out of time, not collected."""
HEADS = ("test", "runs", "failures", "worst")


@dataclass(frozen=True)
class Result:
    """What one test came to in one round."""

    name: str
    seconds: float
    failed: bool


@dataclass
class Record:
    """What one test came to in all rounds."""

    runs: int = 0
    failures: int = 0
    worst: float = 0.0
    """Seconds."""


@dataclass
class Tally:
    """All tests of all rounds."""

    records: dict[str, Record] = field(default_factory=dict)

    def add(self, results: Iterable[Result]) -> None:
        """Count a round."""
        for result in results:
            record = self.records.setdefault(result.name, Record())
            record.runs += 1
            record.failures += result.failed
            record.worst = max(record.worst, result.seconds)

    @property
    def failures(self) -> int:
        """Failed runs of any test."""
        return sum(record.failures for record in self.records.values())

    def render(self) -> str:
        """Return the table, what failed most and took longest last, where a terminal's reader looks."""
        lines = [HEADS, *(_cells(name, record) for name, record in sorted(self.records.items(), key=_rank))]
        widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
        return "\n".join(
            "  ".join((line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:]))).rstrip() for line in lines
        )


def soak(asked: Options, _run: Run, progress: Progress) -> int:
    """Run the fault tests `repeat` times; return FAILED if any failed in any round. Raise FleetError."""
    packages.ensure(TEST_PROGRAMS, progress)
    repeat, tally = asked.repeat or REPEAT, Tally()
    side_by_side = min(repeat, ROUNDS_A_CORE * (os.cpu_count() or 1))
    with progress.step(f"{repeat} rounds, {side_by_side} at a time") as step:
        for done, (round_, results, said) in enumerate(_rounds(repeat, side_by_side, asked.arguments), 1):
            failed = [result for result in results if result.failed]
            tally.add(results)
            round_.note = f"{len(results) - len(failed)} passed" + (f", {len(failed)} failed" if failed else "")
            step.note = f"{done} of {repeat} done" + (f", {tally.failures} failed" if tally.failures else "")
            progress.say(round_.line())
            if failed:
                progress.say(said)
    progress.say(tally.render())
    return FAILED if tally.failures else 0


def _rounds(repeat: int, side_by_side: int, arguments: Sequence[str]) -> Iterator[tuple[Step, list[Result], str]]:
    """Yield each round when it has ended; each has its own processes, sockets and ports. Raise FleetError."""
    pool = ThreadPoolExecutor(side_by_side)

    def run(number: int) -> tuple[Step, list[Result], str]:
        step = Step(f"round {number} of {repeat}")
        return step, *one_round(arguments)

    try:
        for ended in as_completed([pool.submit(run, number) for number in range(1, repeat + 1)]):
            yield ended.result()
    finally:
        pool.shutdown(cancel_futures=True)  # those under way have had the same Ctrl-C, or end by their limit


def one_round(arguments: Sequence[str], seconds: float = ROUND_SECONDS) -> tuple[list[Result], str]:
    """Run each fault test once; return the results and what pytest said. Raise FleetError if there is none."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable, "-m", "pytest", "-m", "fault", "-q", "-p", "no:cacheprovider",
            f"--junitxml={report}", f"--timeout={TEST_SECONDS}",
            f"--hypothesis-seed={random.getrandbits(32)}", *arguments,
        ]  # fmt: skip
        began = time.monotonic()
        code, said = _run(command, seconds)
        if code == NOTHING_SELECTED:
            raise FleetError(f"No fault test is selected by ARGS: `{' '.join(arguments)}` leaves none.")
        results = list(_results(report)) if report.exists() else []
        if code != 0 and not any(result.failed for result in results):
            results.append(Result(ITSELF, time.monotonic() - began, failed=True))
        return results, said


def _run(command: Sequence[str], seconds: float) -> tuple[int | None, str]:
    """Return the exit code, None when the time was up, and what was said."""
    try:
        done = subprocess.run(
            command, cwd=REPOSITORY, env={**environ(), LONG: "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", check=False, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        said = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        return None, f"{said}\nThe round had not ended after {seconds:g} s."
    return done.returncode, done.stdout.strip()


def _results(report: Path) -> Iterable[Result]:
    root = ET.parse(report).getroot()  # noqa: S314 - pytest has just written it
    for case in root.iter("testcase"):
        if case.find("skipped") is None:
            failed = case.find("failure") is not None or case.find("error") is not None
            name = f"{case.get('classname', '')}.{case.get('name', '')}".removeprefix("app.tests.")
            yield Result(name, float(case.get("time", "0")), failed)


def _rank(item: tuple[str, Record]) -> tuple[int, float]:
    return item[1].failures, item[1].worst


def _cells(name: str, record: Record) -> tuple[str, ...]:
    return name, str(record.runs), str(record.failures), f"{record.worst:.1f} s"
