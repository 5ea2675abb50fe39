"""The virtual environment: made from the lock file, hashes and all, and made again only when the lock changes.

Runs under the system's own Python, so it imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import packages
from fleet.errors import FleetError
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fleet.progress import Progress

ENVIRONMENT = REPOSITORY / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "locks.json"
RUNTIME, DEVELOPMENT = "requirements.txt", "requirements-dev.txt"
PROVES = {RUNTIME: (RUNTIME,), DEVELOPMENT: (RUNTIME, DEVELOPMENT)}
"""The development lock holds everything of the runtime lock."""
OLD_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"
SAID_LINES = 3  # of pip, when it fails


def ensure(lock: str, progress: Progress) -> None:
    """Make the environment hold what a lock file names. Raise FleetError when that fails."""
    with _alone():
        hashes = {name: _hash(REPOSITORY / name) for name in PROVES[lock]}
        if not is_stale(_stamp(), hashes) and _works():
            return
        if not _works():
            _create(progress)
        _install(lock, progress)
        STAMP.write_text(json.dumps(hashes, indent=2) + "\n")


def exists() -> bool:
    """Return whether an environment was ever finished."""
    return STAMP.exists() and PYTHON.exists()


def is_inside() -> bool:
    """Return whether this process runs in the environment."""
    return Path(sys.prefix).resolve() == ENVIRONMENT.resolve()


def enter(arguments: list[str]) -> None:
    """Replace this process by the same command line inside the environment."""
    sys.stdout.flush()
    here = str(Path(__file__).resolve().parents[1])
    environ = {**os.environ, "PYTHONPATH": here}
    os.execve(PYTHON, [str(PYTHON), "-m", "fleet", *arguments], environ)  # noqa: S606  # no shell is wanted


def is_stale(stamp: Mapping[str, str], hashes: Mapping[str, str]) -> bool:
    """Return whether the environment was made from other lock files than these."""
    return any(stamp.get(name) != value for name, value in hashes.items())


def _hash(lock: Path) -> str:
    try:
        return hashlib.sha256(lock.read_bytes()).hexdigest()
    except OSError as error:
        raise FleetError(f"The lock file {lock.name} cannot be read ({error.strerror}): restore it with git.") from None


def _stamp() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}


def _works() -> bool:
    """Return whether the environment has a Python that starts and a pip: a move or an upgrade breaks it."""
    if not PYTHON.exists():
        return False
    command = [str(PYTHON), "-c", f"import pip; {OLD_ENOUGH}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _create(progress: Progress) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        packages.install(["python3-venv"], progress)
    with progress.step("create .venv"):
        _run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], "python3 could not create .venv")


def _install(lock: str, progress: Progress) -> None:
    STAMP.unlink(missing_ok=True)
    with progress.step(f"install {lock} into .venv"):
        command = [
            str(PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet",
            "--require-hashes", "--requirement", str(REPOSITORY / lock),
        ]  # fmt: skip
        _run(command, f"pip could not install {lock}")


def _run(command: list[str], sentence: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-SAID_LINES:]
        raise FleetError(f"{sentence}: {' '.join(said) or 'it gave no reason'}")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time change the environment."""
    folder = os.open(REPOSITORY, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
