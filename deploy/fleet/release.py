"""`make release`: whether version, changelog and tree belong together. It changes nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.errors import FAILED
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d|unreleased)$", re.MULTILINE)
VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
NEEDED = (".lua", ".json", ".js", ".d.ts", ".md")
"""What the package does not work without, beside its Python."""


def release(_asked: Options, _run: Run, progress: Progress) -> int:
    """Say what keeps this tree from being a release, or what to type."""
    version = VERSION.findall((REPOSITORY / "app" / "fanout" / "__init__.py").read_text("utf-8"))[0]
    found = problems(
        version, (REPOSITORY / "CHANGELOG.md").read_text("utf-8"), _git("tag").split(), _git("status", "--short")
    )
    with progress.step("build the wheel of fanout") as step, tempfile.TemporaryDirectory() as folder:
        found += (missing := wheel_problems(Path(folder)))
        step.note = "" if missing else f"fanout_stack-{version}"
    for problem in found:
        progress.say(problem)
    if found:
        return FAILED
    progress.say(f"Ready. To release: git tag -a v{version} -m {version} && git push --follow-tags, then make images.")
    return 0


def problems(version: str, changelog: str, tags: list[str], changed: str) -> list[str]:
    """Return a sentence for each thing that does not belong to a release of `version`."""
    headings = HEADING.findall(changelog)
    found = []
    if not headings or headings[0][0] != version:
        newest = headings[0][0] if headings else "none"
        found.append(
            f"CHANGELOG.md's newest version is {newest}, app/fanout/__init__.py says {version}: make them agree."
        )
    elif headings[0][1] == "unreleased":
        found.append(f"CHANGELOG.md says that {version} is unreleased: write the day of the release there.")
    if f"v{version}" in tags:
        found.append(f"There is a tag v{version} already: raise __version__ in app/fanout/__init__.py.")
    if changed:
        found.append(f"The tree has changes that are not committed:\n{changed.rstrip()}")
    return found


def wheel_problems(folder: Path) -> list[str]:
    """Build the wheel of what is committed, in an empty folder; return what is wrong with it."""
    archive = folder / "committed.zip"
    _git("archive", "--output", str(archive), "HEAD")
    shutil.unpack_archive(archive, folder / "tree")
    command = [str(Path(sys.executable).parent / "uv"), "build", "--wheel", "--quiet", "--out-dir", str(folder)]
    done = subprocess.run(command, cwd=folder / "tree", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return [f"The wheel can't be built:\n{done.stderr.strip()}"]
    [wheel] = folder.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    tracked = _git("ls-tree", "-r", "--name-only", "HEAD", "app/fanout").split()
    missing = [name for name in tracked if name.endswith((".py", *NEEDED)) and name.removeprefix("app/") not in held]
    return [f"The wheel lacks {', '.join(missing)}: see package-data in pyproject.toml."] if missing else []


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
