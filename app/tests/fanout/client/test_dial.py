"""The handshake: what it says, and what its failures mean."""

import asyncio
import contextlib
import ssl
import subprocess
import sys

import pytest
from websockets.asyncio.server import serve, unix_serve

from fanout.client import Closed, HandshakeRefused, NotConnected, connect
from tests.fanout.client.conftest import URL
from tests.replicas import APP, clean_environment


@pytest.mark.parametrize(("url", "options", "status", "sentence"), [
    (URL, {"origin": "http://evil.example"}, 403, "answered 403"),
    ("ws://localhost/nowhere/", {}, 404, r"No WebSocket is served on this path; try"),
    ("ws://localhost/healthz", {}, 404, "answered 404"),
])  # fmt: skip
async def test_what_would_be_refused_again_is_raised_at_once(replica, url, options, status, sentence):
    """With the status and what the server says."""
    with pytest.raises(HandshakeRefused, match=sentence) as refused:
        async with connect(url, unix=replica.path, **options):
            pytest.fail("it was let in")
    assert refused.value.status == status


@pytest.mark.parametrize("url", ["http://localhost/ws/", "/ws/", "ws://"])
async def test_what_is_no_address_is_refused(url):
    """With a word on what one looks like."""
    with pytest.raises(ValueError, match="is no WebSocket address: ws:// or wss://"):
        async with connect(url):
            pytest.fail("it was let in")


@contextlib.asynccontextmanager
async def a_server(folder, handler, **options):
    """A stranger's WebSocket server."""
    path = folder / "stranger.sock"
    async with unix_serve(handler, str(path), **options):
        yield path


async def hold(socket):
    await socket.wait_closed()


@pytest.mark.parametrize("options", [{}, {"subprotocols": ["other.v1"]}], ids=["none", "another"])
async def test_a_server_that_speaks_something_else_is_refused(folder, options):
    """It chose no subprotocol, or would only speak another one."""
    with pytest.raises(HandshakeRefused, match=r"fanout\.v1|answered 400"):
        async with a_server(folder, hold, **options) as path, connect(URL, unix=path):
            pytest.fail("it was let in")


async def test_headers_and_origin_reach_the_server(folder):
    """As a browser would send its cookie and its page."""
    seen = {}

    async def look(socket):
        seen.update(socket.request.headers.raw_items())
        await socket.wait_closed()

    async with (
        a_server(folder, look, subprotocols=["fanout.v1"]) as path,
        connect(URL, unix=path, origin="http://page.example", headers={"Cookie": "sessionid=x"}),
    ):
        pass
    assert (seen["Origin"], seen["Cookie"]) == ("http://page.example", "sessionid=x")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_what_may_pass_is_tried_again(folder, status):
    """As from nginx while there is no replica: the next attempt is let in."""
    refusals = [status] * 2

    def answer(connection, _request):
        return connection.respond(refusals.pop(), "Later.\n") if refusals else None

    async with a_server(folder, hold, subprotocols=["fanout.v1"], process_request=answer) as path:
        async with connect(URL, unix=path):
            assert refusals == []
        refusals += [status] * 1000
        with pytest.raises(NotConnected, match=f"within 1 s.*answered {status}.*Later"):
            async with connect(URL, unix=path, timeout=1):
                pytest.fail("it was let in")


@pytest.mark.parametrize(("code", "reason"), [(4403, "You are not let in."), (4400, ""), (1009, "")])
async def test_a_final_close_is_raised(folder, code, reason):
    """To who iterates, and to who calls anything afterwards; with code and reason."""

    async def refuse(socket):
        await socket.recv()
        await socket.close(code, reason)

    async with a_server(folder, refuse, subprotocols=["fanout.v1"]) as path, connect(URL, unix=path) as client:
        await client.leave("chat.a")
        joining = asyncio.create_task(client.join("chat.a"))
        with pytest.raises(Closed, match=rf"for good, with {code}: {reason or 'it gave no reason'}") as closed:
            await anext(client)
        assert (closed.value.code, closed.value.reason) == (code, reason)
        for call in (joining, client.publish("chat.a", 1), anext(client)):
            with pytest.raises(Closed):
                await call


@pytest.fixture
def certificate(tmp_path):
    """A certificate for this machine, with its key behind it, that nobody trusts."""
    path = tmp_path / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", path, "-out", path,
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


async def test_tls_is_chosen_by_the_address(certificate):
    """A certificate that is not trusted is refused at once; one that is opens the connection."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    async with serve(hold, "127.0.0.1", 0, ssl=server, subprotocols=["fanout.v1"]) as listening:
        url = f"wss://127.0.0.1:{listening.sockets[0].getsockname()[1]}/ws/"
        with pytest.raises(HandshakeRefused, match="a certificate that is not trusted"):
            async with connect(url, proxy=None):
                pytest.fail("it was let in")
        async with connect(url, proxy=None, ssl=ssl.create_default_context(cafile=certificate)) as client:
            assert client.replica is None


def test_without_websockets_only_the_core_is_there():
    """The sentence says what to install."""
    script = """
import sys
sys.modules["websockets"] = None
from fanout.client import Core
Core()
try:
    from fanout.client import connect
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=clean_environment(), cwd=APP, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "pip install 'fanout-stack[client]'" in done.stdout
