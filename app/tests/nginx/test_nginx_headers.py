"""What nginx says for itself has the headers that replicas have, at a real nginx; and what they say stays theirs."""

import socket

import httpx
import pytest

from config.headers import DEFAULTS
from fleet import nginx
from tests import certificates
from tests.ports import a_free_port

LIMIT = 30
NAMES = sorted(name.decode() for name in DEFAULTS)
YEAR = "max-age=31536000"


@pytest.fixture
def make_secure(make_edge, folder):
    """Start an nginx to which TLS is the only way in."""

    def make(**changes):
        certificate, key = certificates.write(folder)
        port = a_free_port()
        made = make_edge(tls=nginx.Tls(port, str(certificate), str(key), only_at=f":{port}", hsts=YEAR), **changes)
        made.secure_url, made.context = f"https://127.0.0.1:{port}", certificates.trusting(certificate)
        return made

    return make


@pytest.fixture
def secure(make_secure):
    """With one replica."""
    made = make_secure()
    made.start("web-1")
    return made


@pytest.fixture
def asked(make_edge):
    """Ask an nginx without replicas; one trusted proxy tells it of clients elsewhere."""
    edge = make_edge(trusted_proxies=("127.0.0.1/32",), inside_port=a_free_port())

    def ask(path, method="GET", **headers):
        return edge.request(path, method, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return ask


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {"Accept": "text/html"}, 502),
        ("/", {}, 502),
        ("/static/app.js", {}, 200),
        ("/static/app.0123456789ab.js", {}, 200),
        ("/static/none.js", {}, 404),
        ("/static/", {}, 404),
        ("/static/a%0ab", {}, 400),
        ("/metrics", {"X_Forwarded_For": "192.0.2.7"}, 403),
        ("/ops/nginx", {"X_Forwarded_For": "192.0.2.7"}, 403),
        ("/ops/nginx", {}, 200),
        ("/ops/replicas/web-1/metrics", {}, 502),
        ("/", {"Upgrade": "websocket", "Content_Length": "3"}, 400),
        ("/", {"Content_Length": "2000000"}, 413),
        ("/", {"Cookie": "x" * 9000}, 400),
        ("/-unavailable/unavailable.html", {}, 404),
    ],
)
def test_nginx_own_answers_have_the_headers_once(asked, path, headers, status):
    """Whatever its status; nothing of them is left out where a location has a header of its own."""
    answered, told, _ = asked(path, **headers)
    assert answered == status
    assert [name for name in NAMES if len(told.get_all(name, [])) != 1] == []
    assert "frame-ancestors 'none'" in told["Content-Security-Policy"]
    assert "unsafe" not in told["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in told


@pytest.mark.parametrize("lines", [["GET /"], ["nonsense"], ["GET / HTTP/9.9"], ["GET /../../etc/passwd HTTP/1.1"]])
def test_what_is_no_request_gets_them_too(make_edge, lines):
    """But HTTP 0.9, whose answers have no head."""
    said = make_edge().raw(*lines).decode().lower()
    if said.startswith("http/"):
        assert [name for name in NAMES if said.count(f"\r\n{name}: ") != 1] == []


def test_what_a_replica_says_stays_as_it_is(edge):
    """It answers for itself (config.headers): nothing is doubled, and a handshake carries none of them."""
    edge.start("web-1")
    _, told, _ = edge.request("/")
    assert [name for name in NAMES if name in told] == []


def test_plain_http_is_sent_to_tls(secure):
    """With its path and query as they were written, for good, and no other method."""
    status, told, _ = secure.request("/a%20b/?c=%2F&d", "POST", b"x", {"Host": f"fleet.example:{secure.port}"})
    port = secure.secure_url.rpartition(":")[2]
    assert (status, told["Location"]) == (308, f"https://fleet.example:{port}/a%20b/?c=%2F&d")
    assert [name for name in NAMES if len(told.get_all(name, [])) != 1] == []
    assert "Strict-Transport-Security" not in told


def test_the_page_for_staff_is_sent_to_tls(make_secure):
    """A session's cookie is not taken in the clear, from this machine or another."""
    secure = make_secure(trusted_proxies=("127.0.0.1/32",))
    secure.start("web-1")
    for headers in ({}, {"X-Forwarded-For": "192.0.2.7"}):
        status, told, _ = secure.request("/ops/", headers={**headers, "Host": "localhost"})
        assert (status, told["Location"][:18]) == (308, "https://localhost:")
    assert httpx.get(f"{secure.secure_url}/ops/", verify=secure.context).status_code == 200


def test_a_line_break_in_the_path_makes_no_header(secure):
    """Of the redirect: it stays as the client encoded it."""
    _, told, _ = secure.request("/%0d%0aSet-Cookie:%20a=b")
    assert told["Set-Cookie"] is None
    assert told["Location"].endswith("/%0d%0aSet-Cookie:%20a=b")


def test_a_websocket_in_the_clear_is_not_let_in(secure):
    """It is sent on like everything else, which no browser follows."""
    said = secure.raw(
        "GET /ws/chat/lobby/ HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    )  # fmt: skip
    assert said.startswith(b"HTTP/1.1 308 ")


def test_probes_and_scrapers_go_on_by_plain_http(make_secure):
    """From this machine alone."""
    secure = make_secure(trusted_proxies=("127.0.0.1/32",))
    secure.start("web-1")
    for path in ("/healthz", "/readyz", "/metrics", "/ops/targets", "/ops/replicas/web-1/metrics"):
        assert secure.request(path)[0] == 200, path
        assert secure.request(path, headers={"X-Forwarded-For": "192.0.2.7"})[0] == 403, path


@pytest.mark.parametrize(
    ("host", "age"), [("fleet.example", YEAR), ("localhost", "max-age=60"), ("a.localhost", "max-age=60")]
)
def test_over_tls_browsers_are_told_to_come_back_so(secure, host, age):
    """A replica's answers and nginx' own, once; under the name that all servers of a machine share for a minute."""
    with httpx.Client(http2=True, verify=secure.context, base_url=secure.secure_url, timeout=LIMIT) as client:
        for path, status in (
            ("/", 200),
            ("/static/app.js", 200),
            ("/static/none", 404),
            ("/ops/replicas/web-2/metrics", 502),
        ):
            answer = client.get(path, headers={"Host": host})
            assert (answer.http_version, answer.status_code) == ("HTTP/2", status)
            assert answer.headers.get_list("Strict-Transport-Security") == [age]


def test_beside_plain_http_nobody_is_bound(secure_edge):
    """TLS_PORT alone leaves both ways open."""
    answer = httpx.get(f"{secure_edge.secure_url}/static/app.js", verify=secure_edge.context)
    assert "Strict-Transport-Security" not in answer.headers


def test_both_ports_are_listened_on_once(secure):
    """By nginx alone."""
    for port in (secure.port, int(secure.secure_url.rpartition(":")[2])):
        socket.create_connection(("127.0.0.1", port), timeout=LIMIT).close()
