"""channels_redis' own tests, from its source distribution, with our layer in the place of theirs."""

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

REPOSITORY = Path(__file__).resolve().parents[4]
CACHE = REPOSITORY / ".run" / "cache" / "sdist"
SUBSTITUTE = Path(__file__).with_name("upstream")
REQUIREMENT = re.compile(r"^channels-redis==[^\n]*(?:\n[ ]+--hash=[^\n]*)+", re.MULTILINE)
DOWNLOAD_SECONDS = 100


def requirement() -> str:
    """The lock file's lines for channels-redis: its version and the hashes of what may be taken for it."""
    found = REQUIREMENT.search((REPOSITORY / "requirements.txt").read_text(encoding="utf-8"))
    assert found, "requirements.txt does not name channels-redis with hashes"
    return found.group() + "\n"


def cached(lines: str) -> Path | None:
    """The source distribution if it is there, whole and of this version."""
    for path in CACHE.glob("channels*redis-*.tar.gz"):
        if hashlib.sha256(path.read_bytes()).hexdigest() in lines:
            return path
    return None


def unavailable(reason: str) -> None:
    """Skip on a developer's machine; fail where a skip would go unseen."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def download(lines: str) -> None:
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
            unavailable(f"pip did not fetch channels_redis' source distribution within {DOWNLOAD_SECONDS} s")
        if done.returncode:
            unavailable(f"channels_redis' source distribution can't be fetched: {done.stderr.strip()[-500:]}")
        for path in Path(folder).glob("*.tar.gz"):
            path.replace(CACHE / path.name)


@pytest.fixture
def upstream(tmp_path):
    """The folder of channels_redis' source, unpacked."""
    CACHE.mkdir(parents=True, exist_ok=True)
    lines = requirement()
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if cached(lines) is None:
            download(lines)
    archive = cached(lines)
    assert archive is not None, "pip fetched something else than a source distribution with a locked hash"
    with tarfile.open(archive) as source:
        with contextlib.suppress(AttributeError):  # Python before 3.11.4 has no filters
            source.extraction_filter = tarfile.data_filter
        source.extractall(tmp_path)  # noqa: S202 - its hash is locked
    (folder,) = tmp_path.glob("channels_redis-*")
    return folder


def test_channels_redis_own_tests_pass(upstream, redis_server):
    """All of channels_redis' tests of its pub/sub layer pass with our layer, none skipped."""
    # The package's own folder must not be imported, only its tests: those import the installed one.
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "tests/test_pubsub.py",
            "-c", os.devnull, "--rootdir", ".", "--import-mode", "importlib",
            "-p", "no:django", "-p", "no:cacheprovider", "-p", "substitute",
            "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "--timeout", "20",
        ],
        cwd=upstream, capture_output=True, text=True, check=False, timeout=100,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(REPOSITORY / "app"), str(SUBSTITUTE))),
            "PYTHONSAFEPATH": "1",
            "TEST_REDIS_URL": redis_server.url,
        },
    )  # fmt: skip
    report = done.stdout + done.stderr
    assert done.returncode == 0, report
    written = re.findall(r"^(?:async )?def test_.*$", (upstream / "tests" / "test_pubsub.py").read_text(), re.MULTILINE)
    assert re.search(rf"^=+ {len(written)} passed in ", done.stdout, re.MULTILINE), report
    with_layer = sum("channel_layer" in signature for signature in written)
    assert with_layer > len(written) / 2
    assert f"layers under test: fanout.layers.redis.RedisChannelLayer {with_layer}\n" in done.stdout, report
