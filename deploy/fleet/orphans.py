"""Processes that a killed supervisor left behind: found by proof, never by name alone, and ended.

`python -m fleet.orphans RUN_DIR nginx` ends nginx workers whose master was killed; they would keep its port.
"""

from __future__ import annotations

import contextlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fleet import waiting
from fleet.environment import MARK
from fleet.state import Run
from fleet.supervision import DRAIN_SECONDS, EDGE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TITLES = re.compile(r"(\S*/)?(nginx:|redis-server)")
"""Programs that write their title over their environment: their mark is gone, their folder tells."""

DELETED = " (deleted)"  # what the kernel adds to the name of a folder that somebody removed under a process


@dataclass(frozen=True)
class Seen:
    """What /proc says about a process."""

    pid: int
    command: tuple[str, ...]
    folder: str
    mark: str | None = None


def is_ours(seen: Seen, run: Run, *, named: bool) -> bool:
    """Return whether a process belongs to a run folder; `named`: one of its pid files holds the process id.

    A shell or an editor that merely stands in the folder carries no mark and is in no pid file.
    """
    root = str(run.root)
    if seen.mark == root:
        return True
    inside = seen.folder == root or seen.folder.startswith(root + "/")
    if named:
        return inside or any(root in word for word in seen.command)
    return seen.folder in (str(run.nginx), str(run.redis)) and TITLES.match(" ".join(seen.command)) is not None


def carry_mark(run: Run) -> bool:
    """Return whether a living process names the run folder as its own: proof that it was a fleet's, gone or not."""
    return any(seen.mark == str(run.root) for _, seen in _others())


def find(run: Run) -> list[psutil.Process]:
    """Return every living process of a run folder, except this one's own line of parents."""
    named = {pid for file in run.pids.glob("*.pid") if (pid := run.pid(file.stem))} if run.pids.exists() else set()
    return [process for process, seen in _others() if is_ours(seen, run, named=seen.pid in named)]


def _others() -> Iterator[tuple[psutil.Process, Seen]]:
    spared = {process.pid for process in (psutil.Process(), *psutil.Process().parents())}
    for process in psutil.process_iter():
        if process.pid not in spared and (seen := look(process)):
            yield process, seen


def look(process: psutil.Process) -> Seen | None:
    """Return what is known about a process; None when it has gone or is not ours to look at."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        mark = process.environ().get(MARK)
        return Seen(process.pid, tuple(process.cmdline()), process.cwd().removesuffix(DELETED), mark)
    except (psutil.Error, OSError):
        return None


def label(process: psutil.Process, run: Run) -> str:
    """Return the name of a process in this fleet, or what it runs."""
    for file in run.pids.glob("*.pid"):
        if run.pid(file.stem) == process.pid:
            return file.stem
    with contextlib.suppress(psutil.Error):
        return str(process.name())
    return "a process"


def end(processes: Sequence[psutil.Process], run: Run) -> None:
    """End processes in the order of a planned stop: supervisor, replicas (they drain), the rest."""
    first = [process for process in processes if process.pid == run.pid("supervisor")]
    replicas = [process for process in processes if label(process, run).startswith("web-")]
    for group in (first, replicas):
        _end(group, DRAIN_SECONDS)
    _end([process for process in processes if process not in (*first, *replicas)], EDGE_SECONDS)


def _end(processes: Iterable[psutil.Process], seconds: float) -> None:
    """Ask, wait, then insist."""
    group = list(processes)
    for process in group:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    if not waiting.until(lambda: not any(map(is_alive, group)), seconds):
        for process in filter(is_alive, group):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        waiting.until(lambda: not any(map(is_alive, group)), EDGE_SECONDS)


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs; one that only waits for its parent to take note does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def is_pid_alive(pid: int | None) -> bool:
    """Return whether a process id belongs to a living process."""
    try:
        return pid is not None and is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def main(arguments: list[str]) -> None:
    """End what runs under a title in a run folder."""
    run, title = Run(Path(arguments[0])), arguments[1]
    seen = [(process, look(process)) for process in find(run)]
    _end([process for process, it in seen if it and it.command[:1] and it.command[0].startswith(title)], EDGE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
