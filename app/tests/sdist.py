"""Source distributions of what we build on, by the hashes of requirements.txt: their own tests run on our parts."""

import contextlib
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".run" / "cache" / "sdist"
DOWNLOAD_SECONDS = 100


def unpacked(package: str, folder: Path) -> Path:
    """Return the folder of a package's source, unpacked into `folder`; fetched once, then kept in the run folder."""
    CACHE.mkdir(parents=True, exist_ok=True)
    lines = _requirement(package)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _cached(package, lines) is None:
            _download(package, lines)
    archive = _cached(package, lines)
    assert archive is not None, "pip fetched something else than a source distribution with a locked hash"
    with tarfile.open(archive) as source:
        with contextlib.suppress(AttributeError):  # Python before 3.11.4 has no filters
            source.extraction_filter = tarfile.data_filter
        source.extractall(folder)  # noqa: S202 - its hash is locked
    (made,) = folder.glob(f"{_glob(package)}-*")
    return made


def _requirement(package: str) -> str:
    """The lock file's lines for a package: its version and the hashes of what may be taken for it."""
    requirement = re.compile(rf"^{package}==[^\n]*(?:\n[ ]+--hash=[^\n]*)+", re.MULTILINE)
    found = requirement.search((REPOSITORY / "requirements.txt").read_text(encoding="utf-8"))
    assert found, f"requirements.txt does not name {package} with hashes"
    return found.group() + "\n"


def _glob(package: str) -> str:
    return package.replace("-", "*")


def _cached(package: str, lines: str) -> Path | None:
    """The source distribution if it is there, whole and of this version."""
    for path in CACHE.glob(f"{_glob(package)}-*.tar.gz"):
        if hashlib.sha256(path.read_bytes()).hexdigest() in lines:
            return path
    return None


def _unavailable(reason: str) -> None:
    """Skip on a developer's machine; fail where a skip would go unseen."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _download(package: str, lines: str) -> None:
    """Let pip fetch the source distribution; it checks the hash."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        file = Path(folder) / "requirement.txt"
        file.write_text(lines, encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet"]
        options = ["--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", str(file), "-d", folder]
        try:
            done = subprocess.run(
                [*pip, *options], capture_output=True, text=True, check=False, timeout=DOWNLOAD_SECONDS
            )
        except subprocess.TimeoutExpired:
            _unavailable(f"pip did not fetch the source distribution of {package} within {DOWNLOAD_SECONDS} s")
        if done.returncode:
            _unavailable(f"the source distribution of {package} can't be fetched: {done.stderr.strip()[-500:]}")
        for path in Path(folder).glob("*.tar.gz"):
            path.replace(CACHE / path.name)
