import os
import stat
import threading
from pathlib import Path

import pytest

from fleet import django, environment
from fleet.errors import UsageError
from fleet.state import SOCKET_PATH_MOST_BYTES, Run, Settings, write_private


def test_settings_are_recalled(run):
    """What one command remembers the next one knows, lists as tuples."""
    settings = Settings(replicas=5, port=9000, bind=("127.0.0.1",), trusted_proxies=("10.0.0.0/8",), own_redis=False)
    run.remember(settings)
    assert run.recall() == settings


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"replicas": 3}', '{"bind": 1, "trusted_proxies": [], "x": 1}'])
def test_a_torn_note_means_defaults(run, torn):
    """A machine that went off while writing does not keep the fleet from starting."""
    run.memory.write_text(torn)
    assert run.recall() == Settings()


def test_names_are_the_slots():
    """Replicas are web-1 to web-N."""
    assert Settings(replicas=3).names == ("web-1", "web-2", "web-3")


def test_a_folder_too_deep_for_sockets_is_refused():
    """The sentence tells by how much, and what to do."""
    deep = Path("/srv") / ("d" * (SOCKET_PATH_MOST_BYTES - 20))
    with pytest.raises(UsageError, match=r"\d+ bytes too deep .* RUN_DIR="):
        Run(deep)


def test_the_longest_socket_of_an_accepted_folder_fits():
    """The check is exact: one byte less is accepted."""
    longest_name = len("/control.sock.4194304")
    fits = Path("/" + "d" * (SOCKET_PATH_MOST_BYTES - longest_name - 1))
    assert len(str(Run(fits).control) + ".4194304") == SOCKET_PATH_MOST_BYTES
    with pytest.raises(UsageError):
        Run(Path(str(fits) + "d"))


@pytest.mark.parametrize("name", ['a"b', "a;b", "a$b", "a#b", "a{b", "100%", "a\nb", "a'b"])
def test_a_path_that_configuration_files_cannot_hold_is_refused(name):
    """A character with a meaning in nginx' or the supervisor's files is named."""
    with pytest.raises(UsageError, match="cannot hold"):
        Run(Path("/srv") / name)


@pytest.mark.parametrize("name", ["with space", "ümlaut", "a,b", "~x@y+z"])
def test_ordinary_odd_paths_are_accepted(name):
    """Spaces and letters of any language are no obstacle."""
    assert Run(Path("/srv") / name).root.name == name


def test_the_secret_key_is_made_once_and_private(run):
    """Sessions are signed with it: it stays over restarts, and nobody else reads it."""
    run.ensure_secret_key()
    first = run.secret_key.read_text()
    run.ensure_secret_key()
    assert run.secret_key.read_text() == first
    assert len(first.strip()) >= 32
    assert stat.S_IMODE(run.secret_key.stat().st_mode) == 0o600


def test_what_lay_open_to_others_is_closed(run):
    """As a folder that was there before has it: what holds sessions or messages, but not what nginx has to reach."""
    for folder in (run.logs, run.redis, run.sockets, run.static):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    for name in ("db.sqlite3", "db.sqlite3-wal"):
        (run.root / name).touch()
        (run.root / name).chmod(0o644)
    run.root.chmod(0o755)
    run.make()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in run.root.iterdir()}
    assert {modes["db.sqlite3"], modes["db.sqlite3-wal"]} == {0o600}
    assert {modes[name] for name in ("logs", "redis", "pids", "nginx")} == {0o700}
    assert {modes[name] for name in ("sockets", "static")} == {0o755}


def test_what_django_writes_is_for_its_owner_but_for_static_files(run, monkeypatch):
    """Whatever the umask of who says `make up`: an nginx of another account may serve the static files."""
    run.make()
    run.ensure_secret_key()
    variables = environment.compose({"FANOUT_STATIC_ROOT": str(run.root / "static")}, run)
    before = os.umask(0o022)
    try:
        django.manage(run, variables, "prepare")
    finally:
        os.umask(before)
    assert stat.S_IMODE((run.root / "db.sqlite3").stat().st_mode) == 0o600
    static = [path for path in run.static.rglob("*") if "fanout" in str(path.relative_to(run.static))]
    assert {stat.S_IMODE(path.stat().st_mode) for path in static} == {0o755, 0o644}


def test_a_private_file_is_replaced_whole(run):
    """A leftover of an interrupted write is no obstacle."""
    path = run.root / "file"
    path.with_name("file.new").write_text("half")
    write_private(path, "one")
    write_private(path, "two")
    assert path.read_text() == "two"
    assert not path.with_name("file.new").exists()


def test_a_pid_file_without_a_number_is_no_pid(run):
    """An empty or torn pid file reads as none."""
    assert run.pid("web-1") is None
    run.pid_file("web-1").write_text("")
    assert run.pid("web-1") is None
    run.pid_file("web-1").write_text("42\n")
    assert run.pid("web-1") == 42


def test_one_command_at_a_time_changes_a_fleet(run, capfd):
    """The second one waits for the first, and says so."""
    order = []
    inside = threading.Event()

    def second():
        inside.wait()
        with run.locked():
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with run.locked():
        inside.set()
        while "waiting" not in capfd.readouterr().err:
            pass
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
