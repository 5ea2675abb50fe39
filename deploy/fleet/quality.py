"""`make bench`, `check` and `lock`: what a change has to pass, and how the lock files are renewed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import docs, nginx, packages
from fleet.audit import advisories, code, edge, leaks
from fleet.bootstrap import DEVELOPMENT, RUNTIME
from fleet.errors import FAILED, FleetError
from fleet.limits import ClientLimits
from fleet.options import GIVEN, REPOSITORY, VARIABLES, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleet.progress import Progress
    from fleet.state import Run

NOT_HANDED_ON = (*VARIABLES, GIVEN, "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
BIN = Path(sys.executable).parent
CHECKS = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("import rules", ("lint-imports",)),
    ("Dockerfile", ("hadolint", "deploy/Dockerfile")),
)
PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
LOAD = "loadtest/requirements.txt"
"""What the image of the load test holds."""
SCAN, AUDIT = "deploy/scan/requirements.txt", "deploy/scan/audit.txt"
"""What `make check` scans the manifests with, and what it has look for advisories and traps."""
LOCKS = (
    (RUNTIME, ("pyproject.toml", "--extra", "native")),
    (DEVELOPMENT, ("pyproject.toml", "--extra", "native", "--extra", "dev", "--constraint", RUNTIME)),
    (LOAD, ("pyproject.toml", "--extra", "load", "--constraint", DEVELOPMENT)),
    (SCAN, ("deploy/scan/requirements.in", "--python-version", "3.11")),
    (AUDIT, ("deploy/scan/audit.in", "--python-version", "3.11")),
)
"""Which file is resolved from what."""


def bench(asked: Options, run: Run, progress: Progress) -> int:
    """Measure what a client costs, with what that needs installed."""
    packages.ensure(("nginx", "redis-server"), progress)
    path = os.pathsep.join(str(REPOSITORY / name) for name in ("deploy", "loadtest", "app"))
    command = [str(BIN / "python"), "-m", "bench", "--results", str(run.root / "bench"), *asked.arguments]
    return call(command, PYTHONPATH=path)


def check(_asked: Options, _run: Run, progress: Progress) -> int:
    """Run every check, also after one has failed, and say which did."""
    packages.ensure(("nginx", "prometheus", "promtool"), progress)
    failed = [name for name, command in CHECKS if not _passes(name, command, progress)]
    failed += [name for name, judge in JUDGES if not _holds(name, judge, progress)]
    progress.say(f"Failed: {', '.join(failed)}." if failed else "All checks passed.")
    return FAILED if failed else 0


def check_nginx() -> None:
    """Let nginx judge the configuration as the fleet renders it. Raise FleetError with its words."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        folder = Path(name)
        folder.joinpath("temporary").mkdir()
        values = nginx.Edge(
            port=8080, bind=("127.0.0.1",), sockets=folder, static=folder, prefix=folder,
            pid=folder / "nginx.pid", descriptors=1024, connections=512, trusted_proxies=("10.0.0.0/8",),
            user=nginx.user(), inside_port=8081, limits=ClientLimits(),
        )  # fmt: skip
        path = folder / "nginx.conf"
        path.write_text(nginx.render(values), encoding="utf-8")
        nginx.test(path, packages.require("nginx"))


def check_prometheus() -> None:
    """Let promtool judge the configuration and the rules that it names. Raise FleetError with its words."""
    command = [packages.require("promtool"), "check", "config", str(PROMETHEUS / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FleetError(f"promtool refuses deploy/prometheus:\n{(done.stdout + done.stderr).strip()}")


def check_documents() -> None:
    """Hold documents and tree together. Raise FleetError with all that is named and not there."""
    if problems := docs.problems():
        raise FleetError("\n".join(problems))


def check_manifests() -> None:
    """Hold k8s/ to its schemas, to Pod Security, and to the rest of the repository. Raise FleetError with all of it."""
    # Here, since the other verbs do without what it imports.
    from fleet.kubernetes.static.check import problems

    if found := problems():
        raise FleetError("\n".join(found))


def check_policies() -> None:
    """Let checkov judge k8s/. Raise FleetError with its words."""
    from fleet.kubernetes.static.scan import problems

    if found := problems():
        raise FleetError("\n".join(found))


def _of(*found: str) -> None:
    """Raise FleetError with all that was found, if anything was."""
    if found:
        raise FleetError("\n".join(found))


def check_advisories() -> str:
    """Look for known flaws of what the locks pin; return why it was not possible. Raise FleetError with all of them."""
    if absence := advisories.absence():
        return absence
    _of(*advisories.problems())
    return ""


JUDGES = (
    ("nginx -t", check_nginx), ("promtool", check_prometheus), ("documents", check_documents),
    ("manifests", check_manifests), ("policies", check_policies),
    ("bandit", lambda: _of(*code.problems())), ("gixy", lambda: _of(*edge.problems())),
    ("secrets", lambda: _of(*leaks.problems())), ("pip-audit", check_advisories),
)  # fmt: skip
"""What is looked at by more than one command; each may return what it could not look at."""


def _holds(name: str, judge: Callable[[], str | None], progress: Progress) -> bool:
    try:
        with progress.step(name) as step:
            step.note = judge() or ""
    except FleetError as error:
        progress.say(str(error))
        return False
    return True


def lock(_asked: Options, _run: Run, progress: Progress) -> int:
    """Resolve anew what each lock file is made of, with hashes and without addresses."""
    for name, sources in LOCKS:
        with progress.step(f"resolve {name}"):
            _resolve(name, sources)
    return 0


def _resolve(name: str, sources: Sequence[str]) -> None:
    command = [
        str(BIN / "uv"), "pip", "compile", "--quiet", "--upgrade", "--universal", "--generate-hashes", "--no-header",
        "--no-emit-index-url", "--no-emit-find-links", "--output-file", name, *sources,
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


def call(command: Sequence[str], **variables: str) -> int:
    """Run a command in the repository as if it had been typed there, without make's variables."""
    return subprocess.run(command, cwd=REPOSITORY, env={**environ(), **variables}, check=False).returncode


def environ() -> dict[str, str]:
    """Return the environment without what make and its caller meant for the fleet."""
    return {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
