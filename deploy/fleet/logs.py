"""`make logs`: what the processes say, each line under its name, without what is expected."""

from __future__ import annotations

import json
import re
import sys
import time
from typing import TYPE_CHECKING, TextIO

from fleet.errors import NothingRunsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

TAIL_LINES = 20
TAIL_BYTES = 64 * 1024
POLL_SECONDS = 0.2
QUIET = frozenset({"access"})
"""Shown only when asked for: a line for each request hides everything else."""

EMPTY_SLOT = re.compile(
    r"connect\(\) to unix:\S*/web-\d+\.sock failed \((2: No such file or directory|111: Connection refused)\) "
    r"while connecting to upstream"
)
"""nginx tries each empty slot once a second: deploy/decisions/0001-slots-instead-of-reloads.md."""


def logs(asked: Options, run: Run, _progress: Progress) -> int:
    """Print the last lines of each log, then follow until interrupted (FOLLOW=0: do not follow)."""
    names = available(run)
    if not names:
        raise NothingRunsError("There are no logs yet. `make up` starts the fleet.")
    if asked.name is not None and asked.name not in names:
        raise UsageError(f"There is no log of {asked.name}: take one of {', '.join(names)}.")
    follower = Follower(run, asked.name, sys.stdout)
    try:
        follower.show()
        while asked.follow:
            time.sleep(POLL_SECONDS)
            follower.show()
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    return 0


def available(run: Run) -> list[str]:
    """Return the names of all logs."""
    return sorted(file.stem for file in run.logs.glob("*.log"))


def is_expected(line: str) -> bool:
    """Return whether a line says nothing but that a slot is empty."""
    return EMPTY_SLOT.search(line) is not None


def printable(line: str) -> str:
    """Return a line with every character escaped that a terminal would obey instead of showing it, except tabs.

    Logs hold what clients sent: an escape sequence could paint over lines, a carriage return or U+2028 forge one.
    """
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode("ascii") for char in line
    )


def readable(line: str) -> list[str]:
    """Return the lines that a person reads instead of an event in JSON (app/ops/logs.py); any other line as it is."""
    try:
        event = json.loads(line) if line.startswith('{"time"') else None
        head = [event.pop(key) for key in ("time", "level", "logger", "message")] if event else None
    except (ValueError, KeyError, AttributeError):
        return [line]
    if not event or not head:
        return [line]
    time, level, logger, message = head
    trace = str(event.pop("exception", "")).splitlines()
    event.pop("replica", None)  # stands before the line
    more = "".join(f" {key}={value}" for key, value in event.items())
    return [f"{time} {level} {logger}: {message}{more}", *(f"    {each}" for each in trace)]


class Follower:
    """Reads logs where it left off, through rotation and as new ones appear."""

    def __init__(self, run: Run, name: str | None, output: TextIO) -> None:
        self._run = run
        self._name = name
        self._output = output
        self._logs: dict[str, _Log] = {}

    def show(self) -> None:
        """Print what has come since the last time."""
        first = not self._logs
        names = [self._name] if self._name else [name for name in available(self._run) if name not in QUIET]
        for name in names:
            if name not in self._logs:
                self._logs[name] = _Log(self._run.logs / f"{name}.log", from_start=not first)
            width = max(map(len, self._logs))
            for line in self._logs[name].new_lines():
                if not is_expected(line):
                    for told in readable(line):
                        self._output.write(f"{name:<{width}} | {printable(told)}\n")
        self._output.flush()


class _Log:
    """One file; noticed when another takes its name."""

    def __init__(self, path: Path, *, from_start: bool) -> None:
        self._path = path
        self._inode = 0
        self._position = 0
        self._rest = b""
        if not from_start:
            self._skip_to_tail()

    def new_lines(self) -> Iterator[str]:
        """Return whole lines that have come since the last time."""
        try:
            found = self._path.stat()
            if found.st_ino != self._inode or found.st_size < self._position:
                self._inode, self._position, self._rest = found.st_ino, 0, b""
            with self._path.open("rb") as log:
                log.seek(self._position)
                data = log.read()
        except OSError:  # between two files of a rotation
            return
        self._position += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")

    def _skip_to_tail(self) -> None:
        try:
            found = self._path.stat()
            start = max(0, found.st_size - TAIL_BYTES)
            with self._path.open("rb") as log:
                log.seek(start)
                data = log.read()
        except OSError:
            return
        if start:  # the first line is cut in two, and nobody could tell what its end says
            head, newline, data = data.partition(b"\n")
            start += len(head + newline)
        wanted = [line for line in data.split(b"\n")[:-1] if not is_expected(line.decode(errors="replace"))]
        keep = wanted[-TAIL_LINES:]
        cut = data.rfind(keep[0] + b"\n") if keep else len(data)
        self._inode, self._position = found.st_ino, start + max(cut, 0)
