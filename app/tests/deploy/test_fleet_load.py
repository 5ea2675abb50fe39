"""`make prove` and `make load` on a real fleet."""

import io
import json
import re

import pytest

from fleet import load
from fleet.errors import FAILED, FleetError
from fleet.load import Load
from fleet.options import read
from fleet.progress import Progress
from fleet.state import Run

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def result(fleet, *folders):
    """The JSON of the last run."""
    return json.loads(fleet.run_dir.joinpath("proof", *folders, "proof.json").read_text())


@pytest.mark.slow
def test_the_fleet_is_proved_and_the_control_fails(fleet):
    """Exit code 0 means both; the matrix is full, and the control lost exactly what its proxy dropped."""
    done = fleet.make("prove", ARGS="--p99 10000")
    assert result(fleet)["verdict"] == "proved"
    assert len(result(fleet)["cells"]) == 9
    control = result(fleet, "control")
    assert control["verdict"] == "broken"
    dropped = int(re.search(r"(\d+) dropped", done.stdout)[1])
    assert sum(cell["count"]["lost"] for cell in control["cells"]) == dropped > 0
    assert "the fleet is proved, and the proof can fail" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("every", "limit", "told"), [
    (10**9, "1", "The control failed, but not for what was dropped"),
    (10**9, "10000", "The control was not noticed"),
])  # fmt: skip
def test_a_control_that_fails_for_another_reason_is_none(fleet, monkeypatch, every, limit, told):
    """A proxy that drops nothing: that the messages were late, or that all is well, shows nothing of the proof."""
    monkeypatch.setattr(load, "DROP_EVERY", every)
    monkeypatch.setattr(load, "CONTROL_SECONDS", 3)
    asked, said = read(["prove", "--run-dir", str(fleet.run_dir)], {}), io.StringIO()
    code = load.control(Run(fleet.run_dir).recall(), asked, Run(fleet.run_dir), Progress(said), "--p99", limit)
    assert code == FAILED
    assert told in said.getvalue()


def test_a_proxy_that_does_not_start_is_told(fleet, monkeypatch):
    """Instead of a proof against nobody."""
    monkeypatch.setattr(load.sys, "executable", "/bin/false")
    with pytest.raises(FleetError, match="does not start"), load.dropping(Run(fleet.run_dir).recall()):
        pass


@pytest.mark.slow
def test_a_load_of_ones_own(fleet):
    """Users, rate and seconds are as asked; other words of the proof go through ARGS."""
    fleet.make("load", USERS=30, RATE=40, DURATION=4, ARGS="--p99 10000 --rooms 1 BigRoomUser RoomUser")
    found = result(fleet)
    assert found["verdict"] == "proved"
    assert sum(kind["users"] for kind in found["kinds"]) == 30
    assert {kind["name"] for kind in found["kinds"]} == {"BigRoomUser", "RoomUser"}
    assert sum(second["published"] for second in found["timeline"]) == pytest.approx(160, rel=0.6)


@pytest.mark.slow
def test_a_fleet_is_started_where_none_runs(unstarted):
    """It is said, and the fleet runs on."""
    unstarted.make("up", PORT=unstarted.port, REPLICAS=2)
    unstarted.make("down")
    done = unstarted.make("load", USERS=20, DURATION=5, ARGS="--p99 10000")
    assert "Nothing runs: starting a fleet first." in done.stdout
    assert unstarted.is_ready("web-1")


def test_a_verdict_is_the_exit_code_of_make(fleet):
    """A limit that nothing can keep: make fails, and the reason is the last thing that is told."""
    done = fleet.make("load", check=False, USERS=20, DURATION=4, ARGS="--p99 1")
    assert done.returncode != 0
    assert result(fleet)["verdict"] == "broken"
    assert "more than the limit of 1 ms" in done.stderr


@pytest.mark.parametrize("words", [["--users", "0"], ["--rate", "x"], ["--duration", "-3"]])
def test_values_that_can_not_be_meant_are_told(words):
    """The variable is named, with an example."""
    from fleet.errors import UsageError

    name = words[0].removeprefix("--").upper()
    with pytest.raises(UsageError, match=rf"{name}=.*for example {name}="):
        read(["load", *words], {})


def test_publications_flow_as_long_as_was_asked():
    """The time that clients need to connect comes on top."""
    arguments = Load(users=1000, rate=20, seconds=60).arguments()
    assert arguments[arguments.index("--run-time") + 1] == "65s"
    assert arguments[arguments.index("--spawn-rate") + 1] == "200"
