import os
import subprocess
import sys

import psutil
import pytest

from fleet import orphans
from fleet.environment import MARK
from fleet.orphans import Seen, is_ours

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def test_a_marked_process_is_ours(run):
    """The mark names exactly this run folder."""
    seen = Seen(1, ("python",), "/", mark=str(run.root))
    assert is_ours(seen, run, named=False)
    assert not is_ours(Seen(1, ("python",), "/", mark=str(run.root) + "2"), run, named=False)


def test_a_pid_file_alone_proves_nothing(run):
    """A process id may belong to somebody else by now: the command line or the folder has to name the run folder."""
    assert not is_ours(Seen(1, ("postgres",), "/var/lib"), run, named=True)
    assert is_ours(Seen(1, ("python", "--socket-dir", str(run.sockets)), "/"), run, named=True)
    assert is_ours(Seen(1, ("redis-server unixsocket",), str(run.redis)), run, named=True)


def test_who_merely_stands_in_the_folder_is_spared(run):
    """A shell, an editor or a tail in the run folder is no orphan."""
    assert not is_ours(Seen(1, ("bash",), str(run.redis)), run, named=False)
    assert not is_ours(Seen(1, ("tail", "-F", str(run.logs / "web-1.log")), str(run.root)), run, named=False)


def test_workers_of_a_killed_nginx_are_known_by_title_and_folder(run):
    """They have no pid file and have written over their mark."""
    assert is_ours(Seen(1, ("nginx: worker process",), str(run.nginx)), run, named=False)
    assert not is_ours(Seen(1, ("nginx: worker process",), "/"), run, named=False)
    assert not is_ours(Seen(1, ("nginx: worker process",), str(run.root) + "2/nginx"), run, named=False)


@pytest.fixture
def sleepers():
    """Start processes that wait; they are gone afterwards."""
    started = []

    def start(**options):
        process = subprocess.Popen(SLEEP, stdout=subprocess.PIPE, text=True, **options)
        process.stdout.readline()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_exactly_the_orphans_are_found_and_ended(run, sleepers):
    """A neighbour with the same command line lives on."""
    ours = sleepers(env={**os.environ, MARK: str(run.root)})
    neighbour = sleepers(env={**os.environ, MARK: str(run.root) + "-other"})
    stale = sleepers()
    run.pid_file("web-1").write_text(f"{ours.pid}\n")
    run.pid_file("web-2").write_text(f"{stale.pid}\n")
    found = orphans.find(run)
    assert [process.pid for process in found] == [ours.pid]
    assert orphans.label(found[0], run) == "web-1"
    orphans.end(found, run)
    assert ours.wait(timeout=5) != 0
    assert neighbour.poll() is None
    assert stale.poll() is None


def test_a_process_that_only_waits_for_its_parent_counts_as_gone(run, sleepers):
    """A zombie holds nothing."""
    process = sleepers()
    seen = psutil.Process(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not orphans.is_alive(seen)
    assert orphans.look(seen) is None
