"""What clients see when nginx itself is reloaded or restarted; nginx/README.md says the same in words."""

import contextlib
import datetime as dt
import os
import re
import signal
import socket
import ssl
import stat

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from fleet.authority import HERE
from fleet.certificates import Material, _with_certificate, usable
from tests import certificates
from tests.cluster.clients import Visitor, await_that, hears_itself

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

PATH = "/ws/chat/restarts/"
SECONDS = 30
CUT = 1006


@pytest.fixture
def nginx(own_fleet):
    """The master of the fleet's nginx, which answers."""
    await_that(lambda: answers(own_fleet), SECONDS, "nginx answers")
    return psutil.Process(own_fleet.pid("nginx"))


@pytest.fixture
def client(own_fleet, nginx):
    """A chat client through nginx."""
    with connect(own_fleet.ws_url + PATH, proxy=None) as connected:
        assert hears_itself(connected, "before")
        yield connected


def answers(fleet):
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(fleet.base_url + "/healthz", timeout=5).status_code == 200
    return False


def refuses(port):
    """Return whether nobody listens there."""
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=SECONDS):
        return False
    return True


def workers(master):
    """Return the process ids of its workers."""
    return {child.pid for child in master.children()}


def reload(master):
    """Send SIGHUP, as `nginx -s reload` does; return the old workers when new ones are there."""
    old = workers(master)
    os.kill(master.pid, signal.SIGHUP)
    await_that(lambda: len(workers(master) - old) >= psutil.cpu_count(), SECONDS, "new workers")
    return old


def how_it_closed(client):
    """Wait for the close; return its code."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            client.recv(timeout=SECONDS)
    return client.close_code


def comes_back(fleet):
    """Whether a client that was cut gets in again and is heard."""
    with contextlib.suppress(OSError, WebSocketException), connect(fleet.ws_url + PATH, proxy=None) as again:
        return hears_itself(again, "again")
    return False


def test_a_reload_cuts_and_refuses_nobody(own_fleet, nginx, client):
    """Sockets and requests under way stay with the old workers, who go when those end; new ones get new workers."""
    with (
        socket.create_connection(("127.0.0.1", own_fleet.port), timeout=SECONDS) as slow,
        Visitor(own_fleet) as visitor,
    ):
        slow.sendall(b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbo")
        await_that(lambda: len(visitor.statuses) > 5, SECONDS, "visits")
        old = reload(nginx)
        seen = len(visitor.statuses)
        await_that(lambda: len(visitor.statuses) > seen + 20, SECONDS, "visits after the reload")
        slow.sendall(b"dy")
        assert slow.recv(100).startswith(b"HTTP/1.1 ")
        assert hears_itself(client, "through an old worker")
        assert comes_back(own_fleet)
    assert set(visitor.statuses) == {200}
    assert old & workers(nginx)
    client.close()
    await_that(lambda: not old & workers(nginx), SECONDS, "the old workers have gone")


def test_after_worker_shutdown_timeout_sockets_of_old_workers_are_cut(own_fleet, nginx):
    """Without a close frame; their clients come back. Ten minutes as configured, one second here."""
    configuration = own_fleet.run_dir / "nginx" / "nginx.conf"
    text = configuration.read_text()
    assert "\nworker_shutdown_timeout 10m;\n" in text
    try:
        configuration.write_text(text.replace("worker_shutdown_timeout 10m;", "worker_shutdown_timeout 1s;"))
        old = reload(nginx)
        await_that(lambda: not old & workers(nginx), SECONDS, "only workers of the new configuration")
        with connect(own_fleet.ws_url + PATH, proxy=None) as client:
            assert hears_itself(client, "before")
            reload(nginx)
            assert how_it_closed(client) == CUT
        assert comes_back(own_fleet)
    finally:
        configuration.write_text(text)
        reload(nginx)


def test_a_restart_cuts_all_and_all_come_back(own_fleet, nginx, client):
    """SIGTERM: 1006 for every socket; the supervisor starts nginx again, on any replica the client is heard."""
    nginx.terminate()
    assert how_it_closed(client) == CUT
    await_that(lambda: comes_back(own_fleet), SECONDS, "clients come back")
    assert own_fleet.pid("nginx") != nginx.pid


def test_a_graceful_stop_keeps_sockets_and_refuses_new_ones(own_fleet, nginx, client):
    """SIGQUIT: nobody is cut, nobody gets in, until the last socket has ended; then nginx is started again."""
    nginx.send_signal(signal.SIGQUIT)
    await_that(lambda: not answers(own_fleet), SECONDS, "nobody listens")
    assert hears_itself(client, "still here")
    assert not comes_back(own_fleet)
    client.close()
    await_that(lambda: comes_back(own_fleet), SECONDS, "nginx is back")


def test_tls_is_taken_up_and_given_up_without_cutting_anybody(own_fleet, client, tmp_path):
    """`make up` with a certificate: HTTP/2 pages, WebSockets over TLS, and the plain port as before."""
    certificate, key = certificates.write(tmp_path)
    port = own_fleet.another_port()
    shown = own_fleet.make("up", TLS_PORT=port, TLS_CERTIFICATE=certificate, TLS_KEY=key).stdout
    assert f"over TLS on port {port}" in shown
    trust = certificates.trusting(certificate)
    with httpx.Client(http2=True, verify=trust, base_url=f"https://127.0.0.1:{port}", timeout=SECONDS) as http2:
        page = http2.get("/", follow_redirects=True)
        assert (page.http_version, page.status_code, page.headers["X-Replica"][:4]) == ("HTTP/2", 200, "web-")
    # A context of its own: httpx has put HTTP/2 into the other.
    with connect(f"wss://127.0.0.1:{port}{PATH}", ssl=certificates.trusting(certificate), proxy=None) as secure:
        assert hears_itself(secure, "over TLS")
        assert hears_itself(client, "and without")
    own_fleet.make("up", TLS_PORT=0)
    # nginx's old workers close their listeners after the reload has returned.
    await_that(lambda: refuses(port), SECONDS, "nobody listens for TLS")
    assert hears_itself(client, "as before")


def served(port):
    """Return the certificate that a client is shown."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=SECONDS)


def test_tls_can_be_the_only_way_in(own_fleet, client):
    """`make up TLS=1`: an authority of its own, pages and sockets over TLS, the way there by plain HTTP, and back."""
    port = own_fleet.another_port()
    shown = own_fleet.make("up", TLS=1, TLS_PORT=port).stdout
    folder = own_fleet.run_dir / "tls"
    assert f"The fleet answers at https://localhost:{port}/" in shown
    assert f"curl --cacert {folder}/ca.pem https://localhost:{port}/" in shown
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())} == {0o700, 0o600}
    assert f"TLS: https://localhost:{port}/, its certificate is good until" in own_fleet.make("status").stdout
    trust = certificates.trusting(folder / "ca.pem")
    with httpx.Client(http2=True, verify=trust, timeout=SECONDS, follow_redirects=True) as browser:
        page = browser.get(f"http://localhost:{own_fleet.port}/accounts/login/")
        assert (str(page.url), page.status_code) == (f"https://localhost:{port}/accounts/login/", 200)
        assert page.headers["Strict-Transport-Security"] == "max-age=60"
        assert all(cookie.secure for cookie in browser.cookies.jar)
        assert len(browser.cookies.jar) == 1
    with connect(f"wss://localhost:{port}{PATH}", ssl=certificates.trusting(folder / "ca.pem"), proxy=None) as secure:
        assert hears_itself(secure, "over TLS")
        assert hears_itself(client, "who was there before")
        _renewed(own_fleet, folder, port)
        assert hears_itself(secure, "through an old worker")
    own_fleet.make("load", USERS=12, RATE=5, DURATION=2, ARGS="BigRoomUser")
    assert f"http://localhost:{own_fleet.port}/" in own_fleet.make("up", TLS=0).stdout
    # Until nginx's old workers have closed their listeners, they send whoever comes to the other port.
    await_that(lambda: comes_back(own_fleet), SECONDS, "it comes back without TLS")


def _renewed(own_fleet, folder, port):
    """A certificate that would end in 25 days is replaced by `make up`, of the same authority."""
    before = {name: (folder / name).read_text() for name in ("ca.pem", "ca.key", "certificate.pem", "key.pem")}
    own = Material(*before.values())
    names = [*HERE, socket.gethostname()]
    old = _with_certificate(own, usable(names), dt.datetime.now(dt.UTC) - dt.timedelta(days=65))
    (folder / "certificate.pem").write_text(old.certificate)
    (folder / "key.pem").write_text(old.key)
    assert "made anew" in own_fleet.make("up").stdout
    assert (folder / "ca.pem").read_text() == before["ca.pem"]
    new = (folder / "certificate.pem").read_text()
    assert new not in (old.certificate, before["certificate.pem"])
    await_that(lambda: served(port) == new, SECONDS, "the new certificate is shown")


def test_a_port_for_tls_that_is_taken_is_told_with_a_free_one(own_fleet, client):
    """In a sentence, and nothing changes."""
    with socket.create_server(("127.0.0.1", own_fleet.another_port())) as holder:
        port = holder.getsockname()[1]
        done = own_fleet.make("up", check=False, TLS=1, TLS_PORT=port)
    assert done.returncode != 0
    assert re.match(rf"Port {port} is in use by .*: end it, or take another one: make up TLS_PORT=\d+\.", done.stderr)
    assert hears_itself(client, "still here")


def test_a_certificate_that_does_not_fit_changes_nothing(own_fleet, client, tmp_path):
    """One sentence that names the file, exit code 2 of misuse through make, and the fleet goes on."""
    certificate, _ = certificates.write(tmp_path)
    _, other = certificates.write(tmp_path, "other")
    values = {"TLS_PORT": own_fleet.another_port(), "TLS_CERTIFICATE": certificate, "TLS_KEY": other}
    done = own_fleet.make("up", check=False, **values)
    assert done.returncode == 2
    assert f"TLS_KEY={other} is not the key of TLS_CERTIFICATE={certificate}" in done.stderr
    assert hears_itself(client, "still here")
