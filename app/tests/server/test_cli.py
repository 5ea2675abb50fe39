"""`python -m server` as a command line: real processes."""

import json
import os
import shutil
import socket
import subprocess

import pytest
from websockets.exceptions import InvalidStatus

from tests.server.starts import APPLICATION, run, sentences

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


# -- who reaches it --------------------------------------------------------------------------------------

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
