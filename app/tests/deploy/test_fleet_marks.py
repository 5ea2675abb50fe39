"""A folder that is no fleet's is neither tidied nor taken."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleet import main, marks
from fleet.compose import secrets
from fleet.compose.project import Project
from fleet.down import down, tidy
from fleet.errors import UsageError
from fleet.options import REPOSITORY, Options
from fleet.progress import Progress
from fleet.state import Run, Settings
from fleet.supervision import render


@pytest.fixture
def foreign(tmp_path):
    """Somebody's folder with names that a fleet uses too."""
    for name in ("environment", "supervisord.conf", "pids/web-1.pid", "pids/notes.txt", "sockets/web-1.sock"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("[supervisord]\n")
    return Run(tmp_path)


def names(run):
    return sorted(str(path.relative_to(run.root)) for path in run.root.rglob("*"))


def ask_down(run):
    return down(Options("down", run.root, Path("/dev/null")), run, Progress())


def test_down_leaves_a_foreign_folder_as_it_is(foreign, capsys):
    """Whatever its files are called, nothing runs there."""
    before = names(foreign)
    assert ask_down(foreign) == 0
    assert "Nothing runs." in capsys.readouterr().out
    assert names(foreign) == before


def test_down_makes_no_folder(tmp_path):
    """One that is missing stays missing."""
    run = Run(tmp_path / "none")
    assert ask_down(run) == 0
    assert not run.root.exists()


@pytest.mark.parametrize("mark", ["fleet.json", "supervisord.conf"])
def test_down_tidies_what_a_killed_run_left(run, mark):
    """Either of a fleet's two files is proof enough, and a foreign file in it stays all the same."""
    if mark == "fleet.json":
        run.remember(Settings())
    else:
        run.supervisor.write_text(render(run, [], "root"))
    (run.pids / "notes.txt").write_text("mine")
    for stale in (run.socket("web-1"), run.pid_file("web-1"), run.control, run.environment):
        stale.write_text("stale")
    ask_down(run)
    assert not {"sockets/web-1.sock", "pids/web-1.pid", "control.sock", "environment", "fleet.json"} & set(names(run))
    assert "pids/notes.txt" in names(run)


def test_down_ends_what_still_runs_for_a_removed_folder(run):
    """The mark in its environment proves whose it is."""
    script = "import time; print('up', flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env={**os.environ, "FLEET_RUN_DIR": str(run.root)}
    ) as left:
        try:
            left.stdout.readline()
            ask_down(run)
            assert left.wait(timeout=5) != 0
        finally:
            left.kill()


def test_tidying_knows_its_names(run):
    """Nothing else in the folders is removed."""
    (run.sockets / "web-1.sock").write_text("")
    (run.sockets / "notes.txt").write_text("")
    tidy(run)
    assert [path.name for path in run.sockets.iterdir()] == ["notes.txt"]


def test_up_takes_no_folder_of_somebody_else(foreign, capsys):
    """The sentence names what is in it and what to do; nothing is written."""
    before = names(foreign)
    assert main.main(["up", "--run-dir", str(foreign.root)]) == 2
    said = capsys.readouterr().err
    assert f"The run folder {foreign.root} is no fleet's and holds environment: name a new or an empty folder" in said
    assert names(foreign) == before


def test_up_takes_an_empty_folder_and_what_an_interrupted_start_left(tmp_path, run):
    """And, as after a move, data with its key."""
    marks.refuse_other(Run(tmp_path))
    marks.refuse_other(Run(tmp_path / "none"))
    marks.refuse_other(run)
    (run.root / "db.sqlite3").write_text("")
    with pytest.raises(UsageError, match=r"holds db\.sqlite3"):
        marks.refuse_other(run)
    run.ensure_secret_key()
    marks.refuse_other(run)


def test_the_repositorys_own_folder_is_always_taken():
    """The application by itself keeps its database there too."""
    marks.refuse_other(Run(REPOSITORY / ".run"))


def test_what_a_fleet_in_containers_leaves_is_a_fleets(tmp_path):
    """Its secrets say so, whatever a proof has left beside them; without them the folder is somebody's."""
    run = Run(tmp_path)
    (tmp_path / "proof").mkdir()
    with pytest.raises(UsageError, match="is no fleet's and holds proof"):
        marks.refuse_other(run)
    secrets.ensure(Project(run).secrets)
    marks.refuse_other(run)
