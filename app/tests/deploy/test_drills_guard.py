"""What ends all that a drill has started."""

import io
import subprocess
import sys

import pytest

from drills import guard
from tests.cluster.clients import await_that
from tests.replicas import clean_environment

SLEEP = "import signal, sys, time; {}; print('up', flush=True); time.sleep(600)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.mark.parametrize("manner", ["pass", STUBBORN])
def test_it_ends_what_carries_the_mark_and_removes_the_folder(tmp_path, monkeypatch, manner):
    """Once its standard input closes; what does not want to end is killed, and what is somebody else's lives on."""
    monkeypatch.setattr(guard, "END_SECONDS", 1.0)
    folder = tmp_path / "drill"
    folder.mkdir()
    (folder / "file").touch()
    command = [sys.executable, "-c", SLEEP.format(manner)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=clean_environment(**{guard.MARK: str(mark)}))
        for mark in (folder, tmp_path / "another")
    ]
    try:
        for each in started:
            each.stdout.readline()
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        guard.main([str(folder), "touch", str(tmp_path / "taken-down")])
        await_that(lambda: started[0].poll() is not None, 5, "the drill's own process has ended")
        assert started[1].poll() is None
        assert (tmp_path / "taken-down").exists()
        assert not folder.exists()
    finally:
        for each in started:
            each.kill()
            each.communicate()


def test_mounts_below_the_folder_are_told_from_the_others(tmp_path):
    """The innermost first."""
    table = (
        "tmpfs /srv/drill-1/.run tmpfs rw 0 0\nproc /proc proc rw 0 0\n"
        "tmpfs /srv/drill-1/.run/logs tmpfs rw 0 0\ntmpfs /srv/drill-12/.run tmpfs rw 0 0\n"
    )
    assert guard.mounts(table, guard.Path("/srv/drill-1")) == ["/srv/drill-1/.run/logs", "/srv/drill-1/.run"]
