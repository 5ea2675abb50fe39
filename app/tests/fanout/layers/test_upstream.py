"""channels_redis' own tests, from its source distribution, with our layer in the place of theirs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sdist import REPOSITORY, unpacked

SUBSTITUTE = Path(__file__).with_name("upstream")


@pytest.fixture
def upstream(tmp_path):
    """The folder of channels_redis' source, unpacked."""
    return unpacked("channels-redis", tmp_path)


@pytest.mark.slow
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
