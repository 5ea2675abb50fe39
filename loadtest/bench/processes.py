"""Starts servers, waits until they listen, and ends them by their process id whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Address = Path | tuple[str, int]

START_LIMIT = 40.0
"""Seconds for a server to listen."""
STOP_LIMIT = 20.0
"""Seconds for a server to end before it is killed: a stock Daphne with 10,000 sockets takes several."""
NOT_HANDED_ON = ("FANOUT_", "DJANGO_", "GRANIAN_", "PYTHONPATH", "MAKE", "MFLAGS")
GUARD = [setpriv, "--pdeathsig", "KILL"] if (setpriv := shutil.which("setpriv")) else []
"""Where it can, a server ends with the benchmark, also when that is killed."""


@contextmanager
def running(command: Sequence[str], *, cwd: Path, log: Path, ready: Address, **environment: str) -> Iterator[int]:
    """Run a server until the block ends; yield its pid when `ready` takes connections. Raise BenchError."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_HANDED_ON)}
    with log.open("ab") as output:
        child = subprocess.Popen(
            [*GUARD, *command], cwd=cwd, env=kept | environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,  # Ctrl-C is for the benchmark, which then ends them in order
        )  # fmt: skip
    try:
        _await(ready, child, command, log)
        yield child.pid
    finally:
        _end(child)


def _await(address: Address, child: subprocess.Popen[bytes], command: Sequence[str], log: Path) -> None:
    end = time.monotonic() + START_LIMIT
    while child.poll() is None and time.monotonic() < end:
        if _answers(address):
            return
        time.sleep(0.02)
    words = log.read_text(errors="replace").strip().splitlines()[-5:]
    raise BenchError(f"{' '.join(command[-8:])} did not start:\n" + "\n".join(words))


def _answers(address: Address) -> bool:
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(os.fspath(address) if isinstance(address, Path) else address) == 0


def _end(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM twice: what drains at the first one ends at the second."""
    for _ in range(2):
        child.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    try:
        child.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
