"""`python -m drills.guard FOLDER COMMAND…` ends all that a drill has started, however the drill itself ends.

It waits until its standard input closes, which happens also when the drill is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from fleet import waiting
from fleet.environment import MARK as FLEET_MARK

MARK = "FLEET_DRILL"
"""Every process that a drill starts carries it, with the drill's folder; those of its fleet carry the fleet's own."""
END_SECONDS = 5.0
MOUNTS = Path("/proc/self/mounts")


def main(arguments: list[str]) -> None:
    """Wait, then end and remove everything."""
    sys.stdin.read()
    folder, command = Path(arguments[0]), arguments[1:]
    end(marked(MARK, str(folder)))
    # What is stopped (SIGSTOP) could not drain, and would be waited for.
    for process in marked(FLEET_MARK, str(folder / ".run")):
        with contextlib.suppress(psutil.Error):
            process.resume()
    subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    for place in mounts(MOUNTS.read_text(encoding="utf-8"), folder):
        subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def marked(name: str, value: str) -> list[psutil.Process]:
    """Return the processes, others than this, that have a variable of that value."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(name) == value:
                found.append(process)
    return found


def end(processes: list[psutil.Process]) -> None:
    """Ask, wait, then insist."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        if waiting.until(lambda: not any(map(_lives, processes)), END_SECONDS):
            return


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def mounts(table: str, folder: Path) -> list[str]:
    """Return the places below a folder at which something is mounted, the innermost first."""
    places = [line.split()[1] for line in table.splitlines()]
    return sorted((place for place in places if place.startswith(f"{folder}/")), reverse=True)


if __name__ == "__main__":
    main(sys.argv[1:])
