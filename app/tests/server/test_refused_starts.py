"""A start that fails is told in one sentence."""

import signal
import socket

import pytest

from tests.server.starts import APPLICATION, run, sentences

FORM = "must be given as module:object, for example config.asgi:application"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("nowhere:app", "there is no module 'nowhere' for the application 'nowhere:app'."),
        ("nowhere.asgi:app", "there is no module 'nowhere' for the application 'nowhere.asgi:app'."),
        ("config.nothing:app", "there is no module 'config.nothing' for the application 'config.nothing:app'."),
        ("scripted:nothing", "the module 'scripted' has no 'nothing'."),
        ("scripted:http.nothing", "the module 'scripted' has no 'http.nothing'."),
        *((path, f"the application {path!r} {FORM}.") for path in ("scripted", ":app", "scripted:", ".scripted:app")),
    ],
)
def test_an_application_that_is_not_there_is_told_in_one_sentence(scripted, path, sentence):
    """No traceback: nothing of the user's has run."""
    code, stderr = run(scripted, path, "-p", "0")
    assert (code, sentences(stderr)) == (1, [f"Cannot start: {sentence}"])


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("import nothing_there", "ModuleNotFoundError: No module named 'nothing_there'"),
        ("import broken.part", "ModuleNotFoundError: No module named 'broken.part'; 'broken' is not a package"),
        ("from json import nothing", "ImportError: cannot import name 'nothing' from 'json'"),
        ("import json\njson.nothing", "AttributeError: module 'json' has no attribute 'nothing'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_inside_the_users_module_keeps_its_traceback(scripted, source, last):
    """The line at fault is what the user needs."""
    (scripted.folder / "broken.py").write_text(source)
    code, stderr = run(scripted, "broken:application", "-p", "0")
    assert code == 1
    assert stderr.splitlines()[-1].startswith(last)
    assert "broken.py" in stderr


def test_a_name_in_use_is_told_in_one_sentence(scripted):
    """The live replica does not notice."""
    replica = scripted.replica(APPLICATION)
    code, stderr = run(scripted, APPLICATION, "--name", "web-1", "--socket-dir", scripted.folder)
    (sentence,) = sentences(stderr)
    assert code == 1
    assert sentence.startswith(f"Cannot start: {replica.path} is in use by a live replica: stop that one first")
    assert replica.get()[0] == 200


def test_a_path_in_use_is_told_in_one_sentence(scripted):
    """`-u` never takes someone else's live socket."""
    replica = scripted.replica(APPLICATION)
    code, stderr = run(scripted, APPLICATION, "-u", replica.path)
    assert code == 1
    assert "is in use by a live replica" in sentences(stderr)[0]
    assert replica.get()[0] == 200


@pytest.mark.parametrize("place", [("-p", "0"), ("--socket-dir", ".")])
def test_a_malformed_name_is_told_in_one_sentence(scripted, place):
    """A name with a line's end would end the header that carries it."""
    code, stderr = run(scripted, APPLICATION, "--name", "a\r\nSet-Cookie: b", *place)
    assert code == 1
    assert sentences(stderr) == [
        r"Cannot start: --name 'a\r\nSet-Cookie: b' must be letters, digits, - _ and ., for example web-1."
    ]


def test_a_port_in_use_is_told(scripted):
    """The line names the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code, stderr = run(scripted, APPLICATION, "-p", port)
    assert code == 1
    assert f"Couldn't listen on 127.0.0.1:{port}" in stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("nonsense", "Unknown endpoint type: 'nonsense'"),
        ("", "Unknown endpoint type: ''"),
        ("tcp", "missing 1 required positional argument: 'port'"),
        ("tcp:x", "invalid literal for int() with base 10: 'x'"),
        ("tcp:0:bad=1", "got an unexpected keyword argument 'bad'"),
        ("unix:", "its path is empty"),
        ("systemd:domain=INET:index=9", "list index out of range"),
        ("ssl:0:privateKey=/none:certKey=/none", "/none: No such file or directory"),
        ("ssl:0:privateKey=/etc/passwd:certKey=/etc/passwd", "privateKey and certKey have to name a key and its cert"),
    ],
)
def test_an_endpoint_that_is_none_is_told_as_other_flags_are(scripted, endpoint, reason):
    """One sentence behind the usage, exit code 2, and no traceback of Twisted's."""
    code, stderr = run(scripted, APPLICATION, "-e", "tcp:0:interface=127.0.0.1", "-e", endpoint)
    assert (code, "Traceback" in stderr) == (2, False)
    last = stderr.splitlines()[-1]
    assert last.startswith(f"python -m server: error: argument -e: {endpoint!r} is no endpoint ({reason}")
    assert last.endswith("describe one as Twisted does, for example tcp:8000:interface=127.0.0.1.")


def test_a_killed_replica_can_start_again_under_its_name(scripted):
    """Neither its socket nor its pid file is an obstacle."""
    pid_file = scripted.folder / "pid"
    first = scripted.replica(APPLICATION, "--pid-file", pid_file)
    first.signal(signal.SIGKILL)
    first.wait()
    assert first.path.exists()
    second = scripted.replica(APPLICATION, "--pid-file", pid_file)
    assert second.get()[0] == 200
    assert int(pid_file.read_text()) == second.pid
