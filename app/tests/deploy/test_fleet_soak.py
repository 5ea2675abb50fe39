import os
import threading

import pytest

from fleet import soak
from fleet.errors import FleetError
from fleet.options import Options
from fleet.progress import Progress
from fleet.soak import ITSELF, Result, Tally

FLAKY = """
import os, pytest, time
from pathlib import Path
pytestmark = [pytest.mark.fault, pytest.mark.slow]

def which_round():
    # They run side by side: the first one to make a file has its number.
    for number in range(100):
        try:
            Path(__file__).with_suffix(f".{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return number

def test_steady():
    time.sleep(0.05)

def test_flaky():
    assert which_round() != 1, "the second time it fails"

def test_skipped():
    pytest.skip("not here")
"""


@pytest.fixture
def tests(tmp_path):
    """Arguments for pytest: a suite of its own, whose one test fails in the second round."""
    (tmp_path / "test_flaky.py").write_text(FLAKY)
    return ("-p", "no:django", "-c", os.devnull, "--rootdir", str(tmp_path), "-W", "ignore", str(tmp_path))


@pytest.fixture
def shown(monkeypatch):
    """What is printed, line by line; no program is looked for."""
    lines = []
    monkeypatch.setattr(soak.packages, "ensure", lambda programs, progress: None)
    monkeypatch.setattr(Progress, "say", lambda self, text: lines.append(text))
    return lines


def test_a_test_that_fails_once_fails_the_soak(run, tests, shown):
    """Each round is counted, the failure is shown with what pytest said, and the table names runs and failures."""
    asked = Options("soak", run.root, run.root, repeat=3, arguments=tests)
    assert soak.soak(asked, run, Progress()) == 1
    *rounds, table = shown
    (failure,) = (line for line in rounds if "of 3" not in line)
    assert sorted("failed" in line for line in rounds if line is not failure) == [False, False, True]
    assert "the second time it fails" in failure
    rows = {line.split()[0].rpartition(".")[2]: line.split()[1:3] for line in table.splitlines()[1:]}
    assert rows == {"test_flaky": ["3", "1"], "test_steady": ["3", "0"]}


def test_a_soak_that_passes_is_0(run, tests, shown):
    """One round of what does not fail."""
    asked = Options("soak", run.root, run.root, repeat=1, arguments=(*tests, "-k", "steady"))
    assert soak.soak(asked, run, Progress()) == 0
    (round_, table) = shown
    assert "round 1 of 1" in round_
    assert "1 passed" in round_
    assert table.startswith("test ")


def test_twenty_rounds_unless_asked_otherwise(run, shown, monkeypatch):
    """REPEAT has a default."""
    rounds = []
    monkeypatch.setattr(soak, "one_round", lambda arguments: (rounds.append(arguments) or [], ""))
    assert soak.soak(Options("soak", run.root, run.root), run, Progress()) == 0
    assert len(rounds) == 20


def test_rounds_run_side_by_side(run, shown, monkeypatch):
    """As many at a time as the machine's cores bear, each told when it ends; the sum is that of all."""
    monkeypatch.setattr(soak.os, "cpu_count", lambda: 2)
    together = threading.Barrier(2 * soak.ROUNDS_A_CORE)

    def one_round(arguments):
        together.wait(10)
        return [Result("one", 1, failed=False)], ""

    monkeypatch.setattr(soak, "one_round", one_round)
    repeat = 2 * together.parties
    assert soak.soak(Options("soak", run.root, run.root, repeat=repeat), run, Progress()) == 0
    *rounds, table = shown
    assert sorted(int(line.split()[1]) for line in rounds) == list(range(1, repeat + 1))
    assert table.splitlines()[1].split()[:3] == ["one", str(repeat), "0"]


def test_nothing_selected_ends_all_rounds(run, tests, shown):
    """The sentence comes once, not twenty times."""
    with pytest.raises(FleetError, match="-k absent"):
        soak.soak(Options("soak", run.root, run.root, repeat=3, arguments=(*tests, "-k", "absent")), run, Progress())
    assert shown == []


def test_arguments_that_leave_no_test_are_refused(tests):
    """A soak of nothing has not passed."""
    with pytest.raises(FleetError, match="-k nothing"):
        soak.one_round([*tests, "-k", "nothing"])


def test_a_round_that_does_not_end_has_failed(tests):
    """It is bounded in time, and says so."""
    results, said = soak.one_round(tests, seconds=0.01)
    assert [(result.name, result.failed) for result in results] == [(ITSELF, True)]
    assert "had not ended" in said


def test_a_round_that_breaks_off_has_failed(tests):
    """Pytest ends before it has run anything: that counts as a failure."""
    results, _ = soak.one_round([*tests, "--no-such-option"])
    assert [(result.name, result.failed) for result in results] == [(ITSELF, True)]


def test_the_table_ends_with_what_matters():
    """The worst is last; the seconds are the longest of all rounds."""
    tally = Tally()
    tally.add([Result("quick", 1, failed=False), Result("broken", 1, failed=True), Result("slow", 9.04, failed=False)])
    tally.add([Result("quick", 2, failed=False), Result("broken", 1, failed=False), Result("slow", 3, failed=False)])
    assert tally.failures == 1
    assert tally.render().splitlines() == [
        "test    runs  failures  worst",
        "quick      2         0  2.0 s",
        "slow       2         0  9.0 s",
        "broken     2         1  1.0 s",
    ]
