"""Real drills: a real fleet is broken before a real Prometheus, and healed by the commands of the runbook.

The quickest, short (without the load test's proof); `make drills` does all of them, whole.
"""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace

import psutil
import pytest

from drills import catalogue, guard
from drills.engine import Conduct
from drills.errors import DrillError
from drills.stand import Stand
from fleet.environment import MARK
from fleet.options import REPOSITORY
from fleet.progress import Progress
from tests.cluster.clients import await_that
from tests.fleets import Fleet, clean_environment

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

QUICK = {"redis-down": ("RedisDown",), "nginx-down": ("FanoutUnreachable",), "redis-full": ()}
"""With the alerts beside the drill's first one that do not make it much longer."""
SECONDS = 60
IMPATIENT_SECONDS = 4.0
"""Until a drill gives up whose runbook heals nothing: some ten evaluations of the rules."""


@pytest.fixture(scope="module")
def stand():
    """A fleet with a Prometheus before it; each test leaves it well."""
    with Stand(catalogue.find("redis-down"), Progress(io.StringIO())) as made:
        made.start()
        yield made


@pytest.mark.parametrize("name", QUICK)
def test_the_alert_fires_and_its_runbook_ends_it(stand, name):
    """Detected, healed by the commands as they stand there, and every replica hears every other."""
    said = io.StringIO()
    drill = replace(catalogue.find(name), also=QUICK[name])
    outcomes = Conduct(drill, stand, Progress(said)).carry_out(proof=False)
    assert {outcome.alert for outcome in outcomes} == set(drill.alerts)
    for outcome in outcomes:
        assert outcome.verdict == "passed"
        assert outcome.detect > 0
        assert outcome.recover > 0
    assert f"deploy/runbooks/{drill.alert}.md: " in said.getvalue()


def without_mitigation(folder, alert):
    """A copy of the runbooks, in which what heals is replaced by looking."""
    shutil.copytree(REPOSITORY / "deploy/runbooks", folder / "deploy/runbooks")
    path = folder / f"deploy/runbooks/{alert}.md"
    text, count = re.subn(
        r"(## Mitigation\n\n```sh native\n# .*\n)make up\n", r"\1make status || true\n", path.read_text()
    )
    assert count == 1
    path.write_text(text)
    return folder


@pytest.mark.slow
def test_a_drill_fails_when_its_mitigation_is_taken_out(stand, tmp_path):
    """Nothing else heals the fleet, and the drill says that it is not healed."""
    drill = replace(catalogue.find("redis-down"), also=(), recover_seconds=IMPATIENT_SECONDS)
    root = without_mitigation(tmp_path, drill.alert)
    with pytest.raises(
        DrillError, match=r"After the runbook's commands: |still fires 4 s after the runbook's commands"
    ):
        Conduct(drill, stand, Progress(io.StringIO()), root).carry_out(proof=False)
    stand.must("make up")
    await_that(lambda: left_of(stand, drill.alert) == [], SECONDS, "the alert ends")


def left_of(stand, name):
    """The alerts of that name; objectives look back for longer than a test waits. None: Prometheus does not answer."""
    found = stand.prometheus.alerts()
    return None if found is None else [alert for alert in found if alert.name == name]


def guard_of(process):
    """The folder of a drill that runs, as its guard was told; None before there is one."""
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # short-lived ones come and go
            words = child.cmdline()
            if "drills.guard" in words:
                return words[words.index("drills.guard") + 1]
    return None


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_an_interrupted_drill_leaves_nothing(unstarted, number):
    """Whatever ends it in the middle of a start: no process, no folder."""
    drill = subprocess.Popen(
        unstarted.command("drill", NAME="nginx-down"), env=clean_environment(), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    found = []
    await_that(lambda: found.append(guard_of(psutil.Process(drill.pid))) or found[-1], SECONDS, "the drill has begun")
    own = Fleet(guard.Path(found[-1]) / ".run", 0)
    await_that(lambda: own.pid("supervisor"), SECONDS, "its fleet starts")
    os.killpg(drill.pid, number)
    said, _ = drill.communicate(timeout=SECONDS)
    assert drill.returncode != 0
    if number != signal.SIGKILL:
        assert "interrupted" in said
        assert "Traceback" not in said
    await_that(lambda: not own.run_dir.parent.exists(), SECONDS, "its folder is gone")
    assert own.processes() == []
    assert guard.marked(guard.MARK, str(own.run_dir.parent)) == []
    assert guard.marked(MARK, str(own.run_dir)) == []
