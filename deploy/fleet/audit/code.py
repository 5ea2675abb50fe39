"""bandit on our Python: what ruff's S rules do not know. An exception that ruff was given holds here, too."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from fleet.audit import tools
from fleet.errors import FleetError
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDERS = ("app", "deploy", "loadtest")
TESTS = "app/tests"
SKIPPED = {
    "B104": "binding to all addresses is configuration here; ruff's S104 is off for the same reason (pyproject.toml)",
    "B108": "a unix socket needs a short path; each is in a fresh folder of tempfile's, of mode 0700",
}
"""Tests of bandit that are not run, and why. One line's exception is `# nosec BNNN - reason` there."""


def problems(folders: Sequence[str] = FOLDERS) -> list[str]:
    """Return what is found of medium or high severity. Raise FleetError when the tool cannot be had."""
    skipped = ",".join(SKIPPED)
    command = [tools.program("bandit"), "--recursive", "--quiet", "--format", "json", "-ll", "-ii", "--skip", skipped]
    done = tools.run([*command, "--exclude", TESTS, *folders])
    try:
        found = json.loads(done.stdout)["results"]
    except (ValueError, KeyError):
        raise FleetError(f"bandit gave no report: {done.stderr.strip()[-200:]}") from None
    return [_sentence(each) for each in found if not _is_excepted(each)]


def _sentence(found: dict[str, Any]) -> str:
    return f"{found['filename']}:{found['line_number']}: {found['test_id']} {found['issue_text']}"


def _is_excepted(found: dict[str, Any]) -> bool:
    """Return whether ruff's rule of the same number has an exception on one of the lines."""
    rule = re.compile(rf"# noqa:.*\bS{found['test_id'].removeprefix('B')}\b")
    lines = _lines(found["filename"])
    return any(rule.search(lines[number - 1]) for number in found["line_range"] if number <= len(lines))


@cache
def _lines(name: str) -> list[str]:
    return (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
