"""What verbs say that need a running fleet and find none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.errors import FAILED, NOTHING_RUNS, FleetError
from fleet.options import Options
from fleet.progress import Progress
from fleet.restart import restart
from fleet.scale import scale
from fleet.state import Run
from fleet.status import status

WAIT = "import time; print('up', flush=True); time.sleep(600)"
GONE = "The supervisor is gone, web-1 run on without it: `make up` heals the fleet."


def ask(run, verb):
    return Options(verb, run.root, Path("/dev/null"), replicas=2)


@pytest.fixture
def left(run):
    """A replica whose supervisor was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", WAIT], stdout=subprocess.PIPE, env={**os.environ, "FLEET_RUN_DIR": str(run.root)}
    ) as process:
        process.stdout.readline()
        run.pid_file("web-1").write_text(f"{process.pid}\n")
        yield process
        process.kill()


@pytest.mark.parametrize("verb", [scale, restart])
def test_what_runs_on_without_its_supervisor_is_told(run, left, verb):
    """As `make status` does."""
    with pytest.raises(FleetError) as caught:
        verb(ask(run, verb.__name__), run, Progress())
    assert (str(caught.value), caught.value.code) == (GONE, FAILED)
    assert left.poll() is None


def test_status_tells_the_same(run, left, capsys):
    """With the same exit code."""
    assert status(ask(run, "status"), run, Progress()) == FAILED
    assert capsys.readouterr().out == f"{GONE}\n"


@pytest.mark.parametrize(
    ("verb", "remedy"), [(scale, "`make up REPLICAS=2` starts the fleet."), (restart, "`make up` starts the fleet.")]
)
def test_nothing_runs_in_a_missing_folder(tmp_path, verb, remedy):
    """And it stays missing."""
    run = Run(tmp_path / "none")
    with pytest.raises(FleetError) as caught:
        verb(ask(run, verb.__name__), run, Progress())
    assert (str(caught.value), caught.value.code) == (f"Nothing runs. {remedy}", NOTHING_RUNS)
    assert not run.root.exists()
