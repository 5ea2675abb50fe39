"""`make test`, `test-slow` and `test-compose`: each test runs in one of them; `make fuzz`: random bytes for longer."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from fleet import packages
from fleet.options import REPOSITORY
from fleet.quality import BIN, call

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

TESTS = REPOSITORY / "app/tests"
TEST_PROGRAMS = (
    "nginx", "redis-server", "redis-sentinel", "postgres", "chromium", "curl",
    "prometheus", "promtool", "prometheus-redis-exporter", "prometheus-nginx-exporter",
)  # fmt: skip
"""What the tests need of the distribution."""
BY_FILE = ("--dist", "loadfile", "--no-loadscope-reorder")
"""The tests of one file share fleets and servers; tests/conftest.py says which files come first."""
SIDE_BY_SIDE = {"test": 4, "test-slow": 4, "test-compose": 3}
"""Files at a time, on two cores: most tests wait for processes, those in containers less."""
MARKS = {
    "test": "not slow and not compose",
    "test-slow": "slow and not compose",
    "test-compose": "compose",
}
"""What each verb runs, by pytest's marks."""
FUZZ_SECONDS = 1800
"""For one test."""
OTHERS = """
Not among them: what takes long (make test-slow, twelve minutes), and the fleet in containers (make test-compose)."""


def test(asked: Options, _run: Run, progress: Progress) -> int:
    """Run a verb's tests, or those that were asked for, with what they need installed.

    They run side by side, since most of them wait for processes.
    """
    packages.ensure(TEST_PROGRAMS, progress)
    chosen = asked.arguments or (
        "--numprocesses", str(SIDE_BY_SIDE[asked.verb]), *BY_FILE, "-m", MARKS[asked.verb], *_files(asked.verb),
    )  # fmt: skip
    code = call([str(BIN / "python"), "-m", "pytest", *chosen])
    if asked.verb == "test" and not asked.arguments:
        progress.say(OTHERS)
    return code


def _files(verb: str) -> list[str]:
    """Return where a verb's tests are, if not everywhere: to read all files takes each process fifteen seconds."""
    if verb == "test":
        return []
    mark = f"pytest.mark.{verb.removeprefix('test-')}"
    return sorted(str(path) for path in TESTS.rglob("test_*.py") if mark in path.read_text())


def fuzz(asked: Options, _run: Run, progress: Progress) -> int:
    """Run the tests that take random bytes, with many more of them than `make test` has, and each time other ones."""
    packages.ensure(TEST_PROGRAMS, progress)
    return call([
        str(BIN / "python"), "-m", "pytest", "app/tests/hostile/test_fuzz.py", "--hypothesis-profile", "fuzz",
        "--hypothesis-seed", str(secrets.randbits(32)), "--timeout", str(FUZZ_SECONDS), *asked.arguments,
    ])  # fmt: skip
