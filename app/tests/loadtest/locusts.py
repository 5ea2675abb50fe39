"""Locust in processes of its own: it patches whatever process imports it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from fleet.options import REPOSITORY
from tests.fleets import clean_environment

LOCUST = [str(Path(sys.executable).parent / "locust"), "-f", str(REPOSITORY / "loadtest" / "ws.py")]
QUIET = ["--headless", "--only-summary"]
SMALL = ("--users", 45, "--spawn-rate", 45, "--p99", 10_000)
"""Latency is not what is tested: the machine may be busy."""
SECONDS = 90
"""For a run and its verdict."""
PATIENCE = 60
"""Seconds for a step of Locust's."""
REPLICAS = ["web-1", "web-2", "web-3"]


class Run:
    """What a finished run has left."""

    def __init__(self, code, said, folder):
        self.code = code
        self.said = said
        self.folder = folder

    @property
    def result(self):
        """The JSON of the report."""
        return json.loads((self.folder / "proof.json").read_text())

    @property
    def traces(self):
        """Whether a stack trace was shown to anybody."""
        return "Traceback" in self.said


def environment(fleet=None):
    """Return what Locust is started with; chaos finds the fleet by it."""
    variables = {"PYTHON": sys.executable, "ENV_FILE": "/dev/null"}
    return {**clean_environment(), **variables, **({"RUN_DIR": str(fleet.run_dir)} if fleet else {})}


def run(folder, *words, fleet=None, seconds=SECONDS):
    """Run the proof headless to its end."""
    with started(folder, *QUIET, *words, fleet=fleet) as (process, log):
        code = process.wait(seconds)
    return Run(code, log.read_text(), folder)


@contextlib.contextmanager
def started(folder, *words, fleet=None, log="log"):
    """Start Locust; give its process and where its words go. It is killed, if it lives, when the block ends."""
    path = folder / log
    with path.open("w") as said:
        process = subprocess.Popen(
            [*LOCUST, "--report", str(folder), *map(str, words)], cwd=folder, env=environment(fleet),
            stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield process, path
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def eventually(look, seconds=PATIENCE):
    """Return what `look` finds, once it does."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def has_spawned(log):
    """Whether all users run; on a busy machine Locust's master says it in other words, since reports come late."""
    said = log.read_text()
    return "All users spawned" in said or "Spawning is complete" in said


def proved(result):
    """Assert that every cell is there, and whole."""
    assert result["verdict"] == "proved", result["reasons"]
    assert result["replicas"] == REPLICAS
    assert [(cell["publisher"], cell["receiver"]) for cell in result["cells"]] == [
        (publisher, receiver) for publisher in REPLICAS for receiver in REPLICAS
    ]
    for cell in result["cells"]:
        assert cell["count"]["received"] == cell["count"]["expected"] > 0
        assert cell["latency"]["count"] > 0
