"""Environments for tools that pin what the stack needs otherwise: one a lock file, made again when that changes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.errors import FleetError
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence

AUDIT = REPOSITORY / "deploy" / "scan" / "audit.txt"
"""The lock of the tools in this folder."""
AUDIT_ENVIRONMENT = REPOSITORY / ".run" / "audit"
SAID_LINES = 3


def program(name: str) -> str:
    """Return a tool of this folder, after installing what the lock names if need be. Raise FleetError."""
    return str(ensure(AUDIT_ENVIRONMENT, AUDIT) / name)


def ensure(folder: Path, lock: Path) -> Path:
    """Return the folder of programs, after installing what the lock names if that has changed. Raise FleetError."""
    stamp, wanted = folder / "lock.sha256", hashlib.sha256(lock.read_bytes()).hexdigest()
    programs = folder / "bin"
    if programs.exists() and stamp.exists() and stamp.read_text() == wanted:
        return programs
    folder.parent.mkdir(mode=0o700, exist_ok=True)  # a run folder, too: `make up` keeps its data there
    uv = str(Path(sys.executable).with_name("uv"))  # seconds, where pip takes minutes
    _made([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
    python = str(programs / "python")
    _made([uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "--requirement", str(lock)])
    stamp.write_text(wanted)
    return programs


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a tool in the repository; return what it says and how it ended."""
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def _made(command: list[str]) -> None:
    done = run(command)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()[-SAID_LINES:]
        raise FleetError(f"A scanner could not be installed: {' '.join(lines) or 'it gave no reason'}")
