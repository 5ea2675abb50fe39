"""`make test`, `bench`, `check` and `lock`: what a change has to pass, and how the lock files are renewed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import docs, nginx, packages
from fleet.bootstrap import DEVELOPMENT, RUNTIME
from fleet.errors import FAILED, FleetError
from fleet.options import GIVEN, REPOSITORY, VARIABLES, Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet.progress import Progress
    from fleet.state import Run

TEST_PROGRAMS = ("nginx", "redis-server", "redis-sentinel", "chromium", "curl")
"""What the tests need of the distribution."""
NOT_HANDED_ON = (*VARIABLES, GIVEN, "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
BIN = Path(sys.executable).parent
SIDE_BY_SIDE = ("--numprocesses", "3", "--dist", "loadfile")
"""The tests of one file share fleets and servers."""
CHECKS = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("import rules", ("lint-imports",)),
    ("Dockerfile", ("hadolint", "deploy/Dockerfile")),
)
LOAD = "loadtest/requirements.txt"
"""What the image of the load test holds."""
LOCKS = (
    (RUNTIME, ("--extra", "native")),
    (DEVELOPMENT, ("--extra", "native", "--extra", "dev", "--constraint", RUNTIME)),
    (LOAD, ("--extra", "load", "--constraint", DEVELOPMENT)),
)


def test(asked: Options, _run: Run, progress: Progress) -> int:
    """Run the tests with what they need installed; all of them side by side, since most of them wait for processes."""
    packages.ensure(TEST_PROGRAMS, progress)
    return _call([str(BIN / "python"), "-m", "pytest", *(asked.arguments or SIDE_BY_SIDE)])


def bench(asked: Options, run: Run, progress: Progress) -> int:
    """Measure what a client costs, with what that needs installed."""
    packages.ensure(("nginx", "redis-server"), progress)
    path = os.pathsep.join(str(REPOSITORY / name) for name in ("deploy", "loadtest", "app"))
    command = [str(BIN / "python"), "-m", "bench", "--results", str(run.root / "bench"), *asked.arguments]
    return _call(command, PYTHONPATH=path)


def check(_asked: Options, _run: Run, progress: Progress) -> int:
    """Run every check, also after one has failed, and say which did."""
    packages.ensure(("nginx",), progress)
    failed = [name for name, command in CHECKS if not _passes(name, command, progress)]
    try:
        with progress.step("nginx -t"):
            check_nginx()
    except FleetError as error:
        progress.say(str(error))
        failed.append("nginx -t")
    with progress.step("documents") as step:
        problems = docs.problems()
        step.note = "failed" if problems else ""
    if problems:
        progress.say("\n".join(problems))
        failed.append("documents")
    progress.say(f"Failed: {', '.join(failed)}." if failed else "All checks passed.")
    return FAILED if failed else 0


def check_nginx() -> None:
    """Let nginx judge the configuration as the fleet renders it. Raise FleetError with its words."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        folder = Path(name)
        folder.joinpath("temporary").mkdir()
        edge = nginx.Edge(
            port=8080, bind=("127.0.0.1",), sockets=folder, static=folder, prefix=folder,
            pid=folder / "nginx.pid", descriptors=1024, connections=512, trusted_proxies=("10.0.0.0/8",),
            user=nginx.user(),
        )  # fmt: skip
        path = folder / "nginx.conf"
        path.write_text(nginx.render(edge), encoding="utf-8")
        nginx.test(path, packages.require("nginx"))


def lock(_asked: Options, _run: Run, progress: Progress) -> int:
    """Resolve pyproject.toml anew into both lock files, with hashes and without addresses."""
    for name, extras in LOCKS:
        with progress.step(f"resolve {name}"):
            _resolve(name, extras)
    return 0


def _resolve(name: str, extras: Sequence[str]) -> None:
    command = [
        str(BIN / "uv"), "pip", "compile", "--quiet", "--upgrade", "--universal", "--generate-hashes", "--no-header",
        "--no-emit-index-url", "--no-emit-find-links", "--output-file", name, *extras, "pyproject.toml",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FleetError(f"uv could not resolve {name}:\n{done.stderr.strip()}")


def _passes(name: str, command: Sequence[str], progress: Progress) -> bool:
    with progress.step(name) as step:
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]], cwd=REPOSITORY, env={**environ(), "PYTHONPATH": "app"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        step.note = "" if done.returncode == 0 else "failed"
    if done.returncode != 0:
        progress.say((done.stdout + done.stderr).strip())
    return done.returncode == 0


def _call(command: Sequence[str], **variables: str) -> int:
    """Run a command in the repository as if it had been typed there, without make's variables."""
    return subprocess.run(command, cwd=REPOSITORY, env={**environ(), **variables}, check=False).returncode


def environ() -> dict[str, str]:
    """Return the environment without what make and its caller meant for the fleet."""
    return {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
