"""Claims on a place in the socket folder."""

import os
import socket
import stat
import subprocess
import sys

import pytest
from twisted.internet import endpoints

from server.slot import BACKLOG, PATH_LIMIT, SlotError, claimed
from tests.replicas import APP

BINDS_AND_DIES = """
import os, signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
os.kill(os.getpid(), signal.SIGKILL)
"""
CLAIMS = """
import socket, sys
from pathlib import Path
from server.slot import claimed
with claimed(Path(sys.argv[1])) as slot:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(slot.path))
    listener.listen()
print(slot.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def listen():
    """Listen on a path until the test has ended."""
    listeners = []

    def bound(path, backlog=8):
        listeners.append(socket.socket(socket.AF_UNIX))
        listeners[-1].bind(str(path))
        listeners[-1].listen(backlog)
        return listeners[-1]

    yield bound
    for listener in listeners:
        listener.close()


def leave_stale_socket(path):
    """A listener that was killed leaves its file."""
    subprocess.run([sys.executable, "-c", BINDS_AND_DIES, path], check=False)
    assert stat.S_ISSOCK(path.lstat().st_mode)


def claim(folder, name=None):
    with claimed(folder, name) as slot:
        return slot


def refused(folder, name=None):
    """Return the sentence of a refused claim."""
    with pytest.raises(SlotError) as caught:
        claim(folder, name)
    return str(caught.value)


def test_a_named_slot_has_its_socket_in_the_folder(folder):
    """The name names the file."""
    slot = claim(folder, "web-7")
    assert (slot.name, slot.path) == ("web-7", folder / "web-7.sock")


def test_a_relative_folder_becomes_absolute(folder, monkeypatch):
    """What is told to Twisted does not depend on the working directory."""
    monkeypatch.chdir(folder.parent)
    assert claim(folder.relative_to(folder.parent), "a").path == folder / "a.sock"


def test_without_a_name_the_first_free_slot_is_claimed(folder, listen):
    """Live ones are passed over, gaps are filled."""
    assert claim(folder).name == "web-1"
    listen(folder / "web-1.sock")
    listen(folder / "web-3.sock")
    assert claim(folder).name == "web-2"


def test_the_first_free_slot_may_be_a_stale_one(folder, listen):
    """A killed replica's place is free again."""
    listen(folder / "web-1.sock")
    leave_stale_socket(folder / "web-2.sock")
    assert claim(folder).name == "web-2"


def test_no_free_slot_is_told(folder, listen, monkeypatch):
    """The sentence names the folder and the number."""
    monkeypatch.setattr("server.slot.SLOTS", 2)
    listen(folder / "web-1.sock")
    listen(folder / "web-2.sock")
    assert refused(folder) == f"All 2 slots of {folder} are in use."


def test_the_socket_of_a_killed_listener_is_removed(folder):
    """A stale file is no obstacle."""
    leave_stale_socket(folder / "web-1.sock")
    assert claim(folder, "web-1").path.exists() is False


def test_the_socket_of_a_live_listener_is_refused_and_kept(folder, listen):
    """Never someone else's live one."""
    listen(folder / "web-1.sock")
    sentence = refused(folder, "web-1")
    assert f"{folder}/web-1.sock is in use by a live replica" in sentence
    assert "--name" in sentence
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "web-1.sock"))


def test_a_full_backlog_counts_as_live(folder, listen):
    """A replica that is too busy to accept is not taken for dead, and the claim does not wait for it."""
    listen(folder / "web-1.sock", backlog=0)
    waiting = []
    try:
        while True:
            client = socket.socket(socket.AF_UNIX)
            waiting.append(client)
            client.setblocking(False)
            client.connect(str(folder / "web-1.sock"))
    except BlockingIOError:
        assert "in use by a live replica" in refused(folder, "web-1")
        assert (folder / "web-1.sock").exists()
    finally:
        for client in waiting:
            client.close()


@pytest.mark.parametrize("make", [lambda path: path.write_text("dear"), lambda path: path.mkdir()])
def test_what_is_no_socket_is_left_alone(folder, make):
    """A file or a folder in the way is named, not deleted."""
    path = folder / "web-1.sock"
    make(path)
    assert refused(folder, "web-1") == f"{path} is no socket: move it away, or choose another --name."
    assert path.exists()


def test_a_symbolic_link_is_left_alone(folder, listen):
    """Neither the link nor what it points to is touched."""
    listen(folder / "elsewhere")
    (folder / "web-1.sock").symlink_to(folder / "elsewhere")
    assert "is no socket" in refused(folder, "web-1")
    assert (folder / "elsewhere").exists()


def test_a_socket_that_vanishes_while_it_is_looked_at_is_free(folder, listen, monkeypatch):
    """A predecessor that drains at this very moment is no live replica."""
    path = folder / "web-1.sock"
    listen(path)
    connect = socket.socket.connect

    def connect_too_late(self, address):
        path.unlink()
        connect(self, address)

    monkeypatch.setattr("server.slot.socket.socket.connect", connect_too_late)
    assert claim(folder, "web-1").name == "web-1"


def test_a_missing_folder_is_told(folder):
    """The sentence says what to do."""
    sentence = refused(folder / "none", "web-1")
    assert sentence == f"The socket folder {folder}/none can't be used: No such file or directory. Create it first."


def test_a_file_as_folder_is_told(folder):
    """A path to a file is no folder."""
    (folder / "file").touch()
    assert "can't be used: Not a directory" in refused(folder / "file", "web-1")


def test_an_unwritable_folder_is_told(folder, monkeypatch):
    """It is noticed before the bind, whose error names no remedy."""
    monkeypatch.setattr("server.slot.os.access", lambda path, mode: False)
    sentence = refused(folder, "web-1")
    assert sentence.startswith(f"The socket folder {folder} can't be written to")


def test_a_path_of_107_bytes_is_the_longest(folder):
    """One byte more does not fit into the kernel's sockaddr_un; bytes count, not letters."""
    room = PATH_LIMIT - len(os.fsencode(folder)) - len("/.sock")
    path = claim(folder, "x" * room).path
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    sentence = refused(folder, "x" * (room + 1))
    assert f"has 108 bytes, a unix socket's path may have {PATH_LIMIT}" in sentence
    wide = folder / ("ü" * 40)
    wide.mkdir()
    assert "choose a shorter --socket-dir" in refused(wide, "web-1")


@pytest.mark.parametrize("name", ["a b", "../web-1", "-x", ".x", "x.", "a/b", "ü", "web-1\n", "a:b"])
def test_a_malformed_name_is_refused(folder, name):
    """A name is a file's name, a header and a metric's label."""
    assert refused(folder, name) == f"--name {name!r} must be letters, digits, - _ and ., for example web-1."


def test_processes_that_claim_at_the_same_time_get_different_slots(folder):
    """The lock holds from the look to the listening."""
    command = [sys.executable, "-c", CLAIMS, folder]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": {**os.environ, "PYTHONPATH": str(APP)}}
    processes = [subprocess.Popen(command, **options) for _ in range(5)]
    try:
        names = {process.stdout.readline().strip().decode() for process in processes}
    finally:
        for process in processes:
            process.communicate(timeout=30)
    assert names == {f"web-{number}" for number in range(1, 6)}


def test_a_claim_that_failed_holds_no_lock(folder):
    """The next claim does not wait for it."""
    refused(folder, "a b")
    assert claim(folder, "web-1").name == "web-1"


@pytest.mark.parametrize("inner", ["a:b", "a=b", "a\\b", "a:mode=777"])
def test_the_path_is_escaped_for_twisted(folder, inner):
    """What Twisted reads out of the description is the path, with our mode, backlog and no lock file."""
    (folder / inner).mkdir()
    slot = claim(folder / inner, "web-1")
    endpoint = endpoints.serverFromString(None, slot.endpoint)
    assert endpoint._address == str(slot.path)
    assert (endpoint._mode, endpoint._backlog, endpoint._wantPID) == (0o660, BACKLOG, False)
