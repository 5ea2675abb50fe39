"""`python -m server` as a command line: real processes."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from websockets.exceptions import InvalidStatus

from tests.replicas import LIMIT, Server

APPLICATION = "scripted:application"
EXTENSIONS = ["fanout.replica", "fanout.socket", "websocket.http.response"]
PROJECT = "config.asgi:application"
FORM = "must be given as module:object, for example config.asgi:application"


def run(starter, *arguments):
    """Run a replica that can't start; return exit code and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "server", *map(str, arguments)],
        cwd=starter.folder, env=starter.environment, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def sentences(stderr):
    """Return what was said for people: without the log lines, which begin with a date."""
    return [line for line in stderr.splitlines() if not re.match(r"\d{4}-", line)]


# -- where it listens --------------------------------------------------------------------------------


def test_a_name_and_a_folder_make_the_socket(scripted):
    """The slot's socket answers, and only owner and group get in."""
    replica = scripted.replica(APPLICATION)
    assert replica.get()[0] == 200
    assert oct(replica.path.stat().st_mode & 0o777) == "0o660"
    assert sorted(path.name for path in scripted.folder.iterdir()) == ["web-1.sock"]


def test_a_pod_stands_before_the_name(scripted):
    """Every pod has a web-1: over the fleet replicas are told apart by both, and the socket is the slot's."""
    server = scripted.python(
        "server", APPLICATION, "--socket-dir", scripted.folder, "--name", "web-1", "--pod", "web-5c9-x7"
    )
    server.said(r"web-5c9-x7-web-1 listens on")
    server.path = scripted.folder / "web-1.sock"
    assert server.get()[1]["X-Replica"] == "web-5c9-x7-web-1"


def test_a_malformed_pod_is_told_in_one_sentence(scripted):
    """It would end the header that carries it."""
    code, stderr = run(scripted, APPLICATION, "--socket-dir", scripted.folder, "--pod", "a\r\nb")
    assert code == 1
    assert sentences(stderr) == [r"Cannot start: --pod 'a\r\nb' must be letters, digits, - _ and ., for example web-1."]


def test_without_a_name_the_first_free_slot_is_taken(scripted):
    """Two replicas with the same command line stand side by side."""
    for name in ("web-1", "web-2"):
        server = scripted.python("server", APPLICATION, "--socket-dir", scripted.folder)
        server.said(rf"{name} listens on")
        server.path = scripted.folder / f"{name}.sock"
        assert server.get()[1]["X-Replica"] == name


def test_replicas_that_start_together_take_different_slots(scripted):
    """The claim is held until the socket listens."""
    servers = [scripted.python("server", APPLICATION, "--socket-dir", scripted.folder) for _ in range(4)]
    names = {server.said(r"(web-\d) listens on")[1] for server in servers}
    assert names == {"web-1", "web-2", "web-3", "web-4"}


def test_u_listens_on_a_path(scripted):
    """Daphne's flag; the file's name is the replica's."""
    server = scripted.python("server", APPLICATION, "-u", scripted.folder / "my.own.sock")
    server.path = scripted.folder / "my.own.sock"
    server.said("listens on")
    assert server.get()[1]["X-Replica"] == "my.own"
    assert not list(scripted.folder.glob("*.lock"))


def test_u_takes_a_path_with_a_colon(scripted):
    """Twisted's own separator is escaped."""
    (scripted.folder / "a:b").mkdir()
    server = scripted.python("server", APPLICATION, "-u", scripted.folder / "a:b" / "web.sock")
    server.path = scripted.folder / "a:b" / "web.sock"
    server.said("listens on")
    assert server.get()[0] == 200


def test_p_and_b_listen_on_tcp(scripted):
    """Daphne's flags; without a name nobody is named."""
    server = scripted.tcp("server", APPLICATION, "-p", "0", "-b", "127.0.0.1")
    status, headers, _ = server.get()
    assert (status, headers["X-Replica"]) == (200, None)


def test_a_name_is_told_over_tcp_too(scripted):
    """`--name` needs no socket folder."""
    server = scripted.tcp("server", APPLICATION, "-p", "0", "--name", "tcp-1")
    assert server.get()[1]["X-Replica"] == "tcp-1"


def test_e_listens_on_an_endpoint_of_twisted(scripted):
    """Any description that Twisted knows."""
    server = scripted.tcp("server", APPLICATION, "-e", "tcp:0:interface=127.0.0.1")
    assert server.get()[0] == 200


def test_fd_listens_on_an_inherited_socket(scripted):
    """As a supervisor that binds hands it over; the socket stays the supervisor's."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        number = listener.fileno()
        server = scripted.python("server", APPLICATION, "--fd", str(number), pass_fds=[number])
        server.said("listens on")
        server.port = listener.getsockname()[1]
        assert server.get()[0] == 200
        assert server.stop() == 0


def test_several_bindings_serve_together(scripted):
    """A socket folder and TCP at once, under one name."""
    server = scripted.tcp("server", APPLICATION, "-p", "0", "--socket-dir", scripted.folder, "--name", "both")
    assert server.get()[1]["X-Replica"] == "both"
    server.path = scripted.folder / "both.sock"
    assert server.get()[1]["X-Replica"] == "both"


def test_the_default_application_is_the_projects(start):
    """Without an argument it serves config.asgi."""
    assert json.loads(start.replica().get("/healthz")[2]) == {"status": "ok", "replica": "web-1"}


def test_the_client_is_who_nginx_says(scripted):
    """On a unix socket X-Real-IP counts; the list that a client may have begun itself does not."""
    headers = {"X-Real-IP": "203.0.113.9", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"}
    told = json.loads(scripted.replica(APPLICATION).get(headers=headers)[2])
    assert (told["client"], told["scheme"]) == (["203.0.113.9", 0], "https")


def test_over_tcp_nobody_is_believed(scripted):
    """Without `--proxy-headers` a client can't name its own address."""
    server = scripted.tcp("server", APPLICATION, "-p", "0")
    told = json.loads(server.get(headers={"X-Real-IP": "203.0.113.9", "X-Forwarded-Proto": "https"})[2])
    assert (told["client"][0], told["scheme"]) == ("127.0.0.1", "http")


# -- the pid file --------------------------------------------------------------------------------------


def test_the_pid_file_is_there_while_it_listens(scripted):
    """It holds the real process id, and goes at the exit."""
    pid_file = scripted.folder / "web-1.pid"
    replica = scripted.replica(APPLICATION, "--pid-file", pid_file)
    assert int(pid_file.read_text()) == replica.pid
    assert replica.stop() == 0
    assert not pid_file.exists()


def test_a_replica_told_to_go_as_soon_as_it_listens_goes_as_planned(scripted):
    """No moment between listening and being able to drain: neither socket nor pid file stay behind."""
    for _ in range(3):
        replica = scripted.replica(APPLICATION, "--pid-file", scripted.folder / "web-1.pid")
        assert replica.stop() == 0
        assert not list(scripted.folder.glob("web-1.*"))


def test_a_pid_file_that_cant_be_written_stops_the_start(scripted):
    """A supervisor would look for it in vain."""
    code, stderr = run(scripted, APPLICATION, "-p", "0", "--pid-file", scripted.folder / "none" / "pid")
    assert code == 1
    assert "No such file or directory" in stderr


def test_a_failed_start_leaves_another_ones_pid_file(scripted):
    """The loser of a name does not remove the winner's file."""
    pid_file = scripted.folder / "web-1.pid"
    replica = scripted.replica(APPLICATION, "--pid-file", pid_file)
    code, _ = run(scripted, APPLICATION, "--name", "web-1", "--socket-dir", scripted.folder, "--pid-file", pid_file)
    assert code == 1
    assert int(pid_file.read_text()) == replica.pid


# -- who answered ----------------------------------------------------------------------------------------


async def test_a_handshake_says_who_answered(server, script):
    """`X-Replica` stands in the 101."""
    async with server.websocket(script({"type": "websocket.accept"})) as client:
        assert client.response.headers["X-Replica"] == "web-1"


async def test_a_refused_handshake_says_who_answered(server, script):
    """`X-Replica` stands in the 403, once."""
    with pytest.raises(InvalidStatus) as refused:
        await server.websocket(script({"type": "websocket.close"}))
    response = refused.value.response
    assert (response.status_code, response.headers.get_all("X-Replica")) == (403, ["web-1"])


def test_a_malformed_request_says_who_answered(server):
    """`X-Replica` stands in Daphne's own 400."""
    status, headers, _ = server.get(headers={"X-Bad": "a\x0bb"})
    assert (status, headers.get_all("X-Replica")) == (400, ["web-1"])


@pytest.mark.parametrize("version", ["12", "x"])
def test_a_malformed_handshake_says_who_answered(server, version):
    """`X-Replica` stands in autobahn's own 400, which comes before any application."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": version}
    status, headers, _ = server.get(headers=headers)
    assert (status, headers.get_all("X-Replica")) == (400, ["web-1"])
    assert "Traceback" not in server.log


# -- a start that fails ------------------------------------------------------------------------------------


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


# -- the same application on other servers -------------------------------------------------------------------


def daphne_on_a_path(starter):
    server = starter.python("daphne", "-u", starter.folder / "plain.sock", PROJECT)
    server.path = starter.folder / "plain.sock"
    return starter.listens(server, "Configuring endpoint unix")


def daphne_on_a_port(starter):
    return starter.tcp("daphne", "-p", "0", PROJECT)


def uvicorn_on_a_port(starter):
    return starter.tcp("uvicorn", "--port", "0", PROJECT)


@pytest.mark.parametrize("serve", [daphne_on_a_path, daphne_on_a_port, uvicorn_on_a_port])
async def test_the_project_runs_on_other_servers(start, serve):
    """The page, a plain client and a fanout.v1 client are served; the replica is named by host and process."""
    server = serve(start)
    async with asyncio.timeout(LIMIT):
        status, headers, body = await asyncio.to_thread(until_it_answers, server)
        assert (status, headers.get_content_type(), b"<html" in body) == (200, "text/html", True)
        async with server.websocket("/ws/chat/") as plain, server.websocket("/ws/", subprotocols=["fanout.v1"]) as many:
            await many.send('{"type":"join","id":1,"group":"chat.lobby"}')
            joined = json.loads(await many.recv())
            assert joined["type"] == "joined"
            assert joined["replica"] == f"{socket.gethostname()}-{server.pid}"
            await plain.send('{"message": "hi"}')
            assert json.loads(await plain.recv())["message"] == "hi"
            assert json.loads(await many.recv())["data"]["message"] == "hi"
            await plain.send("no JSON")
            await plain.wait_closed()
            assert plain.close_code == (4400 if "uvicorn" in server.popen.args else plain.close_code)
        assert json.loads(server.get("/readyz")[2])["connections"] is None


def until_it_answers(server: Server):
    """Return the page; `daphne -u` says that it listens before it does."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            return server.get("/")
        except (FileNotFoundError, ConnectionRefusedError):
            assert time.monotonic() < deadline, server.log
            time.sleep(0.01)


async def test_our_extensions_are_absent_elsewhere(scripted, script):
    """An application that asks for them finds none under plain Daphne, and all of them here."""
    servers = {scripted.tcp("daphne", "-p", "0", APPLICATION): [], scripted.replica(APPLICATION): EXTENSIONS}
    for server, extensions in servers.items():
        async with server.websocket(script({"type": "websocket.accept"})):
            assert server.said(r"noted: connect websocket.connect (.*)")[1] == str(extensions)


CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="other accounts need root and setpriv")
def test_a_socket_is_reached_by_its_group_alone(scripted):
    """As in a container: the folder is 0750, and nginx is in the replicas' group; a stranger does not get in."""
    replica = scripted.replica(APPLICATION)
    nginx, strangers = 10002, 10003
    os.chown(replica.path, -1, nginx)
    replica.path.parent.chmod(0o750)
    os.chown(replica.path.parent, -1, nginx)

    def connects(account, group):
        words = ["setpriv", "--reuid", str(account), "--regid", str(group), "--clear-groups"]
        command = [*words, "/usr/bin/python3", "-c", CONNECT, str(replica.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
        return done.returncode == 0

    assert connects(nginx, nginx)
    assert not connects(strangers, strangers)
    replica.path.parent.chmod(0o755)
    assert not connects(strangers, strangers), "the socket itself is closed to others, too"
