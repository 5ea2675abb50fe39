"""HTTP of a real replica on its own sockets: kept connections, HTTP/2, and clients that mean no good."""

import http.client
import json
import re
import shutil
import signal
import socket
import time
from itertools import product

import httpx
import psutil
import pytest

from tests import certificates
from tests.misbehaving import BOMBS, are_cut_off, bystander, everything, explode, request
from tests.replicas import LIMIT
from tests.server.scripted import FLOOD

APPLICATION = "scripted:application"


def told(data):
    """Return the statuses and the paths of all answers."""
    return re.findall(rb"HTTP/1\.1 (\d+)", data), re.findall(rb'"path": "([^"]+)"', data)


# -- one connection, many requests ------------------------------------------------------------------------


def test_a_connection_is_kept(server):
    """Request after request on one socket."""
    with server.http() as connection:
        for n in range(20):
            connection.request("GET", f"/{n}")
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["path"]) == (200, f"/{n}")


def test_pipelined_requests_are_answered_in_order(server):
    """All of them in one write; the slow one holds the others back, and none is lost."""
    paths = ["/a", "/hold", *(f"/{n}" for n in range(30))]
    with server.connection() as connection:
        connection.sendall(b"".join(map(request, paths)) + request("/last", "Connection: close"))
        server.said("noted: waits for SIGUSR1")
        server.signal(signal.SIGUSR1)
        statuses, answered = told(everything(connection))
    assert answered == [path.encode() for path in (*paths, "/last")]
    assert set(statuses) == {b"200"}


def test_a_pipelined_body_is_not_taken_for_a_request(server):
    """Bodies end where their length says, and chunks where they say."""
    with server.connection() as connection:
        body = b"GET /smuggled HTTP/1.1\r\n\r\n"
        with_length = request("/body", f"Content-Length: {len(body)}").replace(b"GET", b"POST") + body
        chunked = request("/body", "Transfer-Encoding: chunked").replace(b"GET", b"POST")
        chunked += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        connection.sendall(with_length + chunked + request("/last", "Connection: close"))
        data = everything(connection)
    assert told(data) == ([b"200"] * 3, [b"/body", b"/body", b"/last"])
    assert re.findall(rb'"body": (\d+)', data) == [b"%d" % len(body)] * 2


@pytest.mark.parametrize(("protocol", "status"), [("h2c", b"200"), ("websocket", b"400"), ("WebSocket", b"400")])
def test_only_a_websocket_has_no_body(server, protocol, status):
    """Another protocol that is offered with a request is not taken up; the request is an ordinary one."""
    offer = request("/body", f"Upgrade: {protocol}", "Connection: Upgrade, close", "Content-Length: 3")
    with server.connection() as connection:
        connection.sendall(offer.replace(b"GET", b"POST") + b"abc")
        data = everything(connection)
    assert told(data)[0] == [status]
    assert (b'"body": 3' in data) == (status == b"200")


@pytest.mark.parametrize(
    ("kind", "name"),
    [*product(("request", "handshake"), ("X-Real-IP", "X-Forwarded-Proto")), ("handshake", "Sec-WebSocket-Protocol")],
)
def test_a_header_that_daphne_cant_decode_is_the_clients_fault(server, kind, name):
    """400, and no traceback for each in the log."""
    upgrade = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {22 * 'A'}=="]
    lines = upgrade if kind == "handshake" else []
    head = request("/", *lines, "Connection: Upgrade, close", f"{name}: ")
    with server.connection() as connection:
        connection.sendall(head.replace(f"{name}: ".encode(), f"{name}: \xfc".encode("latin1")))
        assert told(everything(connection))[0] == [b"400"]
    assert "Traceback" not in server.log


# -- answers that take their time ---------------------------------------------------------------------------


def test_an_application_waits_for_a_client_that_does_not_read(server):
    """What is queued for it stays bounded; when it reads on, it gets the rest."""
    with server.http() as connection:
        connection.request("GET", "/flood")
        part = int(server.said(r"noted: part (\d+) waits")[1])
        assert part << 16 < 4 << 20
        answer = connection.getresponse()
        body = answer.read()
        assert (len(body) > FLOOD << 16, body[-1:]) == (True, b"}")
        connection.request("GET", "/")
        assert connection.getresponse().status == 200


def test_a_client_that_goes_lets_the_application_go_on(server):
    """Whoever waits for it is told, and nothing is left of it."""
    with server.http() as connection:
        connection.request("GET", "/flood")
        server.said(r"noted: part \d+ waits")
    bystander(lambda: server.get()[0])
    assert "Traceback" not in server.log


def test_an_answer_that_stays_half_said_is_seen_to_be_cut(server):
    """Not taken for a whole one, and nobody waits for the rest."""
    with server.http() as connection:
        connection.request("GET", "/half")
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            connection.getresponse().read()


def test_an_application_that_says_nothing_is_an_error(server):
    """500, at once."""
    status, _, body = server.get("/mute")
    assert (status, b"has not answered" in body) == (500, True)


# -- HTTP/2 -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secure(scripted_once):
    """A replica behind TLS; `certificate` is the one it shows."""
    certificate, key = certificates.write(scripted_once.folder)
    endpoint = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    made = scripted_once.tcp("server", APPLICATION, "--name", "tls-1", "-e", endpoint)
    made.certificate, made.url = certificate, f"https://127.0.0.1:{made.port}"
    return made


@pytest.fixture
def curl(scripted, secure):
    """Run curl against the replica; its standard output can be waited for."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (Debian: apt-get install curl)")
    base = ["curl", "--silent", "--show-error", "--no-buffer", "--cacert", secure.certificate]
    return lambda path, *options: scripted.process(*base, *options, secure.url + path, output="stdout")


@pytest.fixture
def http2(secure):
    """A client that speaks HTTP/2 where it can."""
    with httpx.Client(
        http2=True, verify=certificates.trusting(secure.certificate), base_url=secure.url, timeout=LIMIT
    ) as client:
        yield client


@pytest.mark.parametrize(("option", "version"), [("--http2", "2"), ("--http1.1", "1.1")])
def test_curl_speaks_what_it_asks_for(curl, option, version):
    """TLS negotiates it; the application is told."""
    process = curl("/", option, "--write-out", "\\nversion %{http_version} status %{http_code}\\n")
    process.said(rf'"http_version": "{version}"')
    process.said(f"version {version} status 200")
    assert process.wait() == 0


def test_curl_gets_a_streamed_answer_over_http2_as_it_comes(curl, secure):
    """The first part is there before the second is made."""
    process = curl("/stream", "--http2")
    process.said("first")
    secure.said("noted: waits for SIGUSR1")
    secure.signal(signal.SIGUSR1)
    process.said('"http_version": "2"')
    assert process.wait() == 0


def test_httpx_gets_pages_over_one_http2_connection(http2):
    """Status, name and body; the scheme is https."""
    for n in range(20):
        answer = http2.get(f"/{n}")
        assert (answer.http_version, answer.status_code, answer.headers["X-Replica"]) == ("HTTP/2", 200, "tls-1")
        assert (answer.json()["path"], answer.json()["http_version"]) == (f"/{n}", "2")


def test_an_application_waits_for_a_client_of_http2_that_does_not_read(http2, secure):
    """Flow control of the stream; then the client gets all of it."""
    with http2.stream("GET", "/flood") as answer:
        parts = answer.iter_raw()
        next(parts)
        secure.said(r"noted: part \d+ waits")
        assert sum(map(len, parts)) > (FLOOD - 1) << 16


def test_httpx_gets_a_streamed_answer_over_http2_as_it_comes(http2, secure):
    """And other streams of the connection go on meanwhile."""
    with http2.stream("GET", "/stream") as answer:
        parts = answer.iter_raw()
        assert (answer.http_version, next(parts)) == ("HTTP/2", b"first\n")
        secure.said("noted: waits for SIGUSR1")
        assert http2.get("/").status_code == 200
        secure.signal(signal.SIGUSR1)
        assert json.loads(b"".join(parts))["path"] == "/stream"


def test_a_body_arrives_over_http2(http2):
    """Whole, across flow control's window of 64 KiB."""
    assert http2.post("/body", content=b"x" * 300_000).json()["body"] == 300_000


# -- clients that mean no good --------------------------------------------------------------------------------


def asking(server):
    """What another client does meanwhile."""
    return lambda: server.get()[0]


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_malformed_request_is_refused_and_the_connection_ends(server, bomb):
    """4xx, or the end; nobody else notices."""
    with server.connection() as connection:
        assert re.match(rb"(HTTP/1\.1 4\d\d |$)", explode(connection, BOMBS[bomb], asking(server)))
    assert "Traceback" not in server.log


@pytest.fixture
def hasty(scripted, request):
    """A replica that gives a request one second instead of a minute, or as many as the test says."""
    seconds = getattr(request, "param", 1)
    (scripted.folder / "hasty.py").write_text(
        f"import server.channel\nfrom scripted import application\nserver.channel.SECONDS = {seconds}\n"
    )
    return scripted.replica("hasty:application")


BEGINNINGS = {
    "silence": b"",
    "half a line": b"GE",
    "half a head": b"GET / HTTP/1.1\r\nHost: localhost\r\n",
    "half a body": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",
    "half a chunk": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_slow_clients_are_cut_off_and_nobody_notices(hasty, beginning):
    """Fifty that send a byte now and then hold their connections for no longer than one request may take."""
    are_cut_off(hasty.connection, BEGINNINGS[beginning], asking(hasty), count=50, trickles=beginning != "silence")
    assert hasty.get()[0] == 200


def test_an_answer_that_nobody_reads_is_bounded(hasty):
    """The application's `send` waits, the process does not grow, and in the end the client is cut."""
    process = psutil.Process(hasty.pid)
    before = process.memory_info().rss
    with hasty.connection() as connection:
        connection.sendall(request("/endless"))
        hasty.said("noted: streamed")
        bystander(asking(hasty))
        assert process.memory_info().rss - before < 20 << 20
        assert len(everything(connection)) < 8 << 20


def test_an_answer_that_is_read_slowly_arrives_whole(server):
    """As long as half a megabyte a minute is read."""
    with server.http() as connection:
        connection.request("GET", "/endless")
        answer = connection.getresponse()
        first = answer.read(1 << 20)
        time.sleep(2)
        rest = answer.read()
    assert len(first) + len(rest) == 2048 << 16


@pytest.mark.parametrize("hasty", [3], indirect=True)
def test_a_long_body_that_gets_on_is_taken(hasty):
    """The limit is for who makes no progress, not for the whole upload."""
    size = 40
    head = f"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size << 16}\r\nConnection: close\r\n\r\n"
    with hasty.connection() as connection:
        connection.sendall(head.encode())
        for _ in range(size):
            connection.sendall(b"x" * (1 << 16))
            time.sleep(0.1)
        assert b'"body": %d' % (size << 16) in everything(connection)


def test_a_client_that_half_closes_gets_its_answer_or_an_end(server):
    """It never hangs."""
    with server.connection() as connection:
        connection.sendall(request("/", "Connection: close"))
        connection.shutdown(socket.SHUT_WR)
        assert re.match(rb"(HTTP/1\.1 200 |$)", everything(connection))
