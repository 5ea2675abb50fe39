"""Daphne's own tests, from its source distribution, with our server in the place of theirs."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.replicas import GUARD, clean_environment
from tests.sdist import REPOSITORY, unpacked

SUBSTITUTE = Path(__file__).with_name("upstream")
OURS = "server.server.Server"
SECONDS = 240
"""For all of them on a busy machine; 30 s on an idle one."""


class Run:
    """Some files of Daphne's tests, in a process of their own."""

    def __init__(self, paths, folder):
        self.paths, self.servers = paths, folder / "servers"
        folder.mkdir()
        self.servers.touch()
        self._process = subprocess.Popen(
            [
                *GUARD, sys.executable, "-m", "pytest", *(path.name for path in paths),
                "-c", os.devnull, "--rootdir", ".", "-p", "no:django", "-p", "no:cacheprovider", "-p", "replacement",
                "-o", "asyncio_mode=strict", "-o", "asyncio_default_fixture_loop_scope=function",
            ],
            cwd=paths[0].parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=clean_environment(
                PYTHONPATH=os.pathsep.join((str(REPOSITORY / "app"), str(SUBSTITUTE))),
                SERVERS_FILE=str(self.servers),
                TMPDIR=str(folder),  # where its test application leaves what it was told
                ASGI_THREADS="4",  # else one of them is skipped
            ),
        )  # fmt: skip

    def finish(self):
        """Wait; return the report."""
        try:
            self.report, _ = self._process.communicate(timeout=SECONDS)
        finally:
            self._process.kill()
        return self.report

    @property
    def written(self):
        """How many tests stand in the files."""
        test = re.compile(r"^ *(?:async )?def test", re.MULTILINE)
        return sum(len(test.findall(path.read_text())) for path in self.paths)

    def servers_of_each_test(self):
        """How many servers each test has started, and how many of ours have run in it."""
        lines = [line.split("\t") for line in self.servers.read_text().splitlines()]
        return [Counter(test for test, what in lines if what == kind) for kind in ("started", OURS)]


@pytest.fixture
def runs(tmp_path):
    """All tests of Daphne; those of WebSockets, which mostly sleep, beside the others."""
    paths = sorted((unpacked("daphne", tmp_path) / "tests").glob("test_*.py"))
    sleepy = [path for path in paths if path.stem == "test_websocket"]
    others = [path for path in paths if path not in sleepy]
    started = [Run(sleepy, tmp_path / "sleepy"), Run(others, tmp_path / "others")]
    for run in started:
        run.finish()
    return started


@pytest.mark.timeout(SECONDS + 30)
@pytest.mark.slow
def test_daphnes_own_tests_pass(runs):
    """All of them, none skipped; and whichever test started a server, ours was the one that ran."""
    for run in runs:
        passed = rf"^=+ {run.written} passed(, \d+ subtests passed)? in "
        assert re.search(passed, run.report, re.MULTILINE), run.report
        started, ours = run.servers_of_each_test()
        assert started == ours, run.report
    with_server = sum(len(run.servers_of_each_test()[1]) for run in runs)
    assert with_server > sum(run.written for run in runs) / 2
