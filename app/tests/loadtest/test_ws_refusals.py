"""What can't be a proof is told before it starts: a sentence, exit code 2, no stack trace."""

import contextlib
import resource
import socket
import subprocess
import threading

import pytest
from websockets.utils import accept_key

from tests.loadtest.locusts import LOCUST, PATIENCE, SMALL, Run, run
from tests.ports import a_free_port

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture
def stranger():
    """Make a server that answers every request with the same bytes; return its address."""
    with contextlib.ExitStack() as stack:

        def make(answer):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=serve, args=(server, answer), daemon=True).start()
            return f"http://127.0.0.1:{server.getsockname()[1]}"

        yield make


def serve(server, answer):
    """Answer until the server is closed."""
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            with client:
                head = client.recv(1 << 16)
                key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
                client.sendall(answer(key))


def said(words):
    """An answer that does not look at the key."""
    return lambda _: words.replace("\n", "\r\n").encode()


def accepting(more):
    """A right answer to the handshake, with further headers."""
    return lambda key: (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key.decode())}\r\n{more}\r\n"
    ).encode()


def refused(done, told):
    """Assert one sentence, exit code 2 and nothing that only a programmer reads."""
    assert done.code == 2, done.said
    assert told in done.said
    assert not done.traces
    assert done.result["verdict"] == "invalid"
    assert told in done.result["sentence"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (said("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), "with 200 instead of 101"),
        (said("HTTP/1.1 502 Bad Gateway\nContent-Length: 0\n\n"), "has no replica to serve /ws/ (502)"),
        (said("SSH-2.0-OpenSSH\n"), "does not speak HTTP"),
        (said(""), "closed the connection during the handshake"),
        (accepting(""), "does not speak fanout.v1: it chose no subprotocol"),
        (accepting("Sec-WebSocket-Protocol: graphql-ws\r\n"), "does not speak fanout.v1"),
        (said("HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n\n"), "not as RFC 6455"),
    ],
    ids=["200", "502", "ssh", "nothing", "no subprotocol", "another subprotocol", "no accept"],
)
def test_a_server_that_is_none_of_ours_is_told(stranger, tmp_path, answer, told):
    """Before anything starts, in a sentence that says what it did."""
    refused(run(tmp_path, *SMALL, "--run-time", "3s", "--host", stranger(answer)), told)


def test_a_host_without_a_server_is_told(tmp_path):
    """And how to have one."""
    done = run(tmp_path, *SMALL, "--run-time", "3s", "--host", f"http://127.0.0.1:{a_free_port()}")
    refused(done, "connection refused): start one (`make up`)")


def test_an_origin_that_is_refused_is_told(fleet, tmp_path):
    """The server's own 403, and the variable that lets it in."""
    done = run(tmp_path, *SMALL, "--run-time", "3s", "--host", fleet.base_url, "--origin", "http://evil.example")
    refused(done, "refused the origin http://evil.example on /ws/ (403): add it to FANOUT_TRUSTED_ORIGINS")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--users", 0), "0 users leave nobody"),
        (("--users", 200_000), "200,000 users do not fit"),
        (("--host", "ftp://x"), "--host ftp://x is no address"),
        (("--host", "http://127.0.0.1/ws/"), "has a path"),
        (("--host", "http://.example"), "--host http://.example is no address"),
    ],
)
def test_what_can_not_be_meant_is_told(fleet, tmp_path, words, told):
    """Before anything starts."""
    refused(run(tmp_path, "--run-time", "3s", "--host", fleet.base_url, *words), told)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--rate", "0"), "0 is not a number from 0.1 on"),
        (("--chaos", "reboot"), "reboot is none of restart, redis-kill, reload"),
        (("--path", "ws"), "ws is no path"),
        (("--plain-path", "/ws/{name}/"), "/ws/{name}/ is no path: only {room} may stand in braces"),
        (("--kind", "a.b"), "'a.b' is no kind of groups"),
        (("--rooms", "-1"), "-1 is not a whole number from 0 on"),
        (("--tags", "nobody"), "the tags are big, dashboard, plain, reconnecting, rooms, slow"),
    ],
)
def test_options_that_can_not_be_meant_are_told(tmp_path, words, told):
    """Exit code 2, as for all that makes no proof."""
    done = run(tmp_path, "--run-time", "3s", *words)
    assert done.code == 2
    assert told in done.said
    assert not done.traces


def test_users_that_descriptors_do_not_allow_are_told_with_the_number_that_fits(fleet, tmp_path):
    """A process that may open few files holds few clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    done = subprocess.run(
        [*LOCUST, "--headless", "--users", "500", "--run-time", "3s", "--host", fleet.base_url, "--report", tmp_path],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=PATIENCE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400)),
    )  # fmt: skip
    assert (soft, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
    refused(Run(done.returncode, done.stdout, tmp_path), "take --users 250.")
