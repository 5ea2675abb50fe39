import io
import os
import re
import subprocess
import sys

import pytest

from fleet import progress
from fleet.options import REPOSITORY
from fleet.progress import Progress


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_a_pipe_gets_one_plain_line_a_step():
    """Name, seconds, note; no control characters."""
    out = io.StringIO()
    with Progress(out).step("migrate") as step:
        step.note = "1 of 1"
    line = out.getvalue()
    assert line.count("\n") == 1
    assert line.startswith("  migrate ")
    assert re.search(r" \d+\.\d s  1 of 1$", line.rstrip())
    assert "\x1b" not in line


def test_a_slow_step_announces_itself(monkeypatch):
    """After two seconds a pipe shows what is being waited for."""
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    out = io.StringIO()
    with Progress(out).step("install"):
        while "…" not in out.getvalue():
            pass
    assert out.getvalue().splitlines()[0] == "  install …"


def test_a_terminal_shows_a_live_line():
    """It is written over until the step ends."""
    out = Terminal()
    with Progress(out).step("wait") as step:
        step.note = "1 of 3"
        while "1 of 3" not in out.getvalue():
            pass
        step.note = "3 of 3"
    assert out.getvalue().endswith("3 of 3\n")
    assert "\r\x1b[K" in out.getvalue()


def test_a_failed_step_says_so():
    """And the error goes on."""
    out = io.StringIO()
    with pytest.raises(ValueError, match="x"), Progress(out).step("try"):
        raise ValueError("x")
    assert "failed" in out.getvalue()


def test_the_work_goes_on_when_nobody_reads(tmp_path):
    """`make up | head -1` starts the fleet all the same, and ends without a complaint."""
    code = "from fleet.progress import Progress\np = Progress()\nwith p.step('a'): pass\np.say('b')\nopen('done', 'w')"
    reader, writer = os.pipe()
    os.close(reader)
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY / "deploy")}
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path, env=environ, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "done").exists()
