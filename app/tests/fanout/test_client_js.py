"""Runs the tests of the JavaScript client with node's own runner."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[2]
FOLDERS = ("fanout/static/fanout", "demos/chat/static/chat", "tests/fanout/js", "tests/demos/js")
NODE_MIN = 20
"""The first with CustomEvent and a mocked clock for timers and dates."""


def node() -> str:
    path = shutil.which("node")
    if path is None:
        pytest.skip("node is not installed: the JavaScript client's own tests need it")
    version = subprocess.run([path, "--version"], check=True, capture_output=True, text=True).stdout
    if int(re.match(r"v(\d+)", version).group(1)) < NODE_MIN:
        pytest.skip(f"node {version.strip()} is too old: the JavaScript client's own tests need {NODE_MIN}")
    return path


@pytest.fixture
def modules(tmp_path):
    """The scripts and their tests in a folder that tells every node version that they are ES modules."""
    for folder in FOLDERS:
        shutil.copytree(APP / folder, tmp_path / folder)
    # A page finds one app's files beside another's below /static/; here their folders stand apart.
    shutil.copytree(APP / "fanout/static/fanout", tmp_path / "demos/chat/static/fanout")
    (tmp_path / "package.json").write_text(json.dumps({"type": "module"}))
    return tmp_path


@pytest.mark.parametrize("folder", ["tests/fanout/js", "tests/demos/js"])
def test_the_scripts_keep_their_own_tests(modules, folder):
    """What the client and the page's pure parts promise holds, by node's own test runner."""
    tests = sorted(str(path.relative_to(modules)) for path in (modules / folder).glob("*.test.js"))
    assert tests
    done = subprocess.run(
        [node(), "--test", *tests], cwd=modules, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
