"""The disk of the run folder is full: Redis cannot write its append-only file, and refuses what is to be kept."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING

from drills.drill import Drill
from drills.errors import DrillError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drills.stand import Stand

SIZE = "64m"
"""Of the small disk: a fleet that begins writes a few."""
PIECE_BYTES = 1 << 20


def missing() -> str:
    """Return that this account may not mount a disk of its own."""
    with tempfile.TemporaryDirectory() as folder:
        if mount(folder).returncode != 0:
            return "a small disk (tmpfs) cannot be mounted by this account."
        subprocess.run(["umount", folder], check=True)
    return ""


def mount(place: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Mount a small disk in memory; the guard unmounts it."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(place)]
    try:
        return subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return subprocess.CompletedProcess(command, 1)


def small_disk(stand: Stand) -> dict[str, str]:
    """Put the run folder on a disk of its own."""
    stand.run.root.mkdir(mode=0o700)
    if mount(stand.run.root).returncode != 0:
        raise DrillError("A small disk (tmpfs) cannot be mounted.")
    return {}


@contextlib.contextmanager
def full(stand: Stand) -> Iterator[None]:
    """Fill it with a log that has grown, while clients talk."""
    with stand.talking():
        fill(stand.run.logs / "access.log.1")
        yield


def fill(path: Path) -> None:
    """Write until there is no room, to the last byte."""
    with path.open("wb", buffering=0) as file:
        size = PIECE_BYTES
        while size:
            try:
                file.write(b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2
        os.fsync(file.fileno())


DRILL = Drill(
    name="disk-full",
    alert="RedisNotPersisting",
    text="the disk of the run folder is full",
    breaks=full,
    step="Its disk is full",
    missing=missing,
    prepare=small_disk,
)
