import gzip
import http.client
import json
import os
import signal
import socket
import time

import pytest

from tests.busy import slowed
from tests.cluster.clients import await_that
from tests.ports import a_free_port

from .conftest import Replica

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

NOBODY = 65534

ELSEWHERE = "127.0.0.2"
"""An address that is not nginx' own."""


def test_a_replica_is_found_by_its_socket(edge):
    """It gets requests soon after its socket appears, without a reload."""
    edge.start("web-3")
    status, headers, _ = edge.request("/")
    assert (status, headers["X-Replica"]) == (200, "web-3")


def test_requests_spread_over_replicas(edge):
    """Each replica gets some."""
    edge.start("web-1", "web-2")
    assert {edge.request("/")[1]["X-Replica"] for _ in range(20)} == {"web-1", "web-2"}


@pytest.mark.parametrize("leave_file", [False, True], ids=["file gone", "file left"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_request_is_lost_when_a_replica_goes(edge, method, leave_file):
    """An empty or dead slot fails before anything was sent, so even a POST is passed on."""
    edge.start("web-1", "web-2")
    for turn in range(60):
        if turn == 20:
            edge.stop("web-1", leave_file=leave_file)
        status, headers, _ = edge.request("/", method, b"body")
        assert status == 200
        assert turn < 20 or headers["X-Replica"] == "web-2"
    if leave_file:
        (edge.folder / "sockets/web-1.sock").unlink()


def test_a_post_that_a_replica_took_is_not_sent_twice(edge):
    """The replica may have done it before it died; a GET is repeated."""
    edge.start("web-1", "web-2")
    status, _, _ = edge.request("/dies", "POST", b"body")
    assert status == 502


def test_the_client_cannot_name_its_own_address(edge):
    """What it claims is overwritten by what nginx saw."""
    edge.start("web-1")
    claims = {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "X-Forwarded-Proto": "https"}
    claims |= {"X-Forwarded-Host": "evil", "X-Forwarded-Port": "1", "Forwarded": "for=6.6.6.6"}
    told = edge.told(headers=claims)
    assert told["X-Forwarded-For"] == told["X-Real-IP"] == "127.0.0.1"
    assert told["X-Forwarded-Proto"] == "http"
    assert not {"X-Forwarded-Host", "X-Forwarded-Port", "Forwarded"} & set(told)


def test_a_trusted_proxy_names_the_client(make_edge):
    """Read from the right: what stands left of the client's address is the client's own claim."""
    edge = make_edge(trusted_proxies=("127.0.0.1/32", "10.0.0.0/8"))
    edge.start("web-1")
    told = edge.told(headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.7, 10.0.0.1", "X-Forwarded-Proto": "https"})
    assert told["X-Forwarded-For"] == told["X-Real-IP"] == "198.51.100.7"
    assert told["X-Forwarded-Proto"] == "https"
    assert edge.told(headers={"X-Forwarded-Proto": "gopher"})["X-Forwarded-Proto"] == "http"


def test_the_host_is_the_clients_with_its_port(edge):
    """Origins are compared with it."""
    edge.start("web-1")
    assert edge.told(headers={"Host": "chat.example:8080"})["Host"] == "chat.example:8080"


def test_an_upgrade_is_handed_on_and_anything_else_closes(edge):
    """WebSocket handshakes reach the replica as such."""
    edge.start("web-1")
    told = edge.told(headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert (told["Upgrade"], told["Connection"]) == ("websocket", "upgrade")
    assert edge.told()["Connection"] == "close"


@pytest.mark.parametrize("body", ["Content-Length: 5", "Content-Length: 05", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "websocket\t"])
def test_a_handshake_with_a_body_reaches_no_replica(edge, upgrade, body):
    """A replica would hang up on it, and nginx would take one replica after the other for dead."""
    edge.start("web-1")
    for path in ("/ws/", "/healthz", "/events/x"):
        assert edge.raw(f"GET {path} HTTP/1.1", f"Upgrade: {upgrade}", body).startswith(b"HTTP/1.1 400 ")
    assert edge.request("/")[0] == 200


@pytest.mark.parametrize("upgrade", ["websocket", "h2c", ""])
def test_only_a_handshake_with_a_body_is_refused(edge, upgrade):
    """An empty body is none, and other protocols may be offered with any request."""
    edge.start("web-1")
    length = 0 if upgrade == "websocket" else 5
    headers = {"Upgrade": upgrade, "Connection": "Upgrade", "Content-Length": str(length)}
    assert edge.request("/", "POST", b"x" * length, headers)[0] == 200


def test_the_client_cannot_name_the_root_path(edge):
    """Daphne would believe it."""
    edge.start("web-1")
    assert "Daphne-Root-Path" not in edge.told(headers={"Daphne-Root-Path": "/evil"})


@pytest.mark.parametrize("path", ["/back%2f%20?a=b%20c", "/poll/back"])
def test_a_request_that_is_sent_back_comes_again_as_it_was(edge, path):
    """Path, method, body and headers are the client's; it notices nothing."""
    edge.start("web-1")
    status, headers, body = edge.request(path, "POST", b"body", {"X-Own": "1", "Upgrade": "other"})
    told = json.loads(body)
    assert (status, headers["X-Replica"], told["method"], told["path"]) == (200, "web-1", "POST", path)
    assert (told["headers"]["X-Own"], told["headers"]["Content-Length"]) == ("1", "4")
    assert (told["headers"]["Upgrade"], told["headers"]["Connection"]) == ("other", "upgrade")
    assert "X-Accel-Redirect" not in headers


def test_a_client_cannot_have_its_request_sent_back(edge):
    """Leave is nginx' alone: for pages, WebSockets and streams, not for what has rules of its own."""
    edge.start("web-1")
    for path, place in (("/", "@again"), ("/poll/x", "@stream-again"), ("/healthz", None), ("/readyz", None)):
        assert edge.told(path, {"X-Send-Back": "@evil"}).get("X-Send-Back") == place


def test_a_stream_that_is_sent_back_is_not_buffered(edge):
    """What holds for a stream holds when it comes again."""
    edge.start("web-1")
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
    connection.request("GET", "/events/back", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    assert answer.readline() == b"data: one\n"
    answer.close()
    connection.close()


def test_operations_are_for_this_machine_alone(make_edge):
    """A client behind a trusted proxy is refused; the same path is open to loopback."""
    edge = make_edge(trusted_proxies=("127.0.0.1/32",))
    edge.start("web-1")
    outside = {"X-Forwarded-For": "198.51.100.7"}
    for path in (
        "/healthz", "/readyz", "/version", "/metrics", "/ops/x", "/ops/replicas/web-1/healthz",
        "/ops/replicas/web-1/metrics", "/ops/nginx",
    ):  # fmt: skip
        assert edge.request(path)[0] == 200, path
        assert edge.request(path, headers=outside)[0] == 403, path
    assert edge.request("/metrics-of-mine", headers=outside)[0] == 200
    assert edge.request("/ops/", headers=outside)[0] == 200  # a page with a log-in


def test_a_stranger_without_a_proxy_is_told_nothing_of_the_inside(edge):
    """By the address that nginx itself sees, whatever the request says."""
    edge.start("web-1")
    for path in ("/healthz", "/readyz", "/version", "/metrics", "/ops/targets", "/ops/replicas/web-1/healthz"):
        for headers in ({}, {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Host": "localhost"}):
            assert edge.request(path, headers=headers, source=ELSEWHERE)[0] == 403, path
    assert edge.request("/", source=ELSEWHERE)[0] == 200


def test_a_balancer_that_was_named_asks_for_health(make_edge):
    """For itself, not for a client of its; and for nothing else."""
    edge = make_edge(trusted_proxies=(f"{ELSEWHERE}/32", "10.0.0.0/8"))
    edge.start("web-1")
    assert edge.request("/healthz", source=ELSEWHERE)[0] == 200
    assert edge.request("/readyz", source=ELSEWHERE)[0] == 403
    for client in ("198.51.100.7", "10.0.0.1", ELSEWHERE):
        assert edge.request("/healthz", headers={"X-Forwarded-For": client}, source=ELSEWHERE)[0] == 403
    assert edge.request("/healthz", source="127.0.0.3")[0] == 403


def test_a_replica_is_asked_by_its_name(edge):
    """Through its own socket, whichever is next in turn; one that is not there is a 502, and blacks nobody out."""
    edge.start("web-1", "web-2")
    for name in ("web-1", "web-2", "web-2", "web-1"):
        status, headers, body = edge.request(f"/ops/replicas/{name}/metrics")
        assert (status, headers["X-Replica"], json.loads(body)["path"]) == (200, name, "/metrics")
    assert edge.request("/ops/replicas/web-3/metrics")[0] == 502
    assert edge.request("/ops/replicas/web-1/readyz")[0] == 200


def test_the_worker_is_asked_through_its_socket(make_edge):
    """By this machine alone."""
    edge = make_edge(trusted_proxies=("127.0.0.1/32",))
    edge.replicas["worker"] = Replica(edge.folder, "worker")  # above the replicas' sockets, as natively
    assert json.loads(edge.request("/ops/worker/metrics")[2])["path"] == "/metrics"
    assert edge.request("/ops/worker/metrics", headers={"X-Forwarded-For": "198.51.100.7"})[0] == 403


@pytest.mark.parametrize("path", ["web-1/", "web-1/x", "web-1/metrics/x", "..%2fweb-1/metrics", "web-1.sock/metrics"])
def test_of_a_replica_only_four_things_are_asked(edge, path):
    """Everything else goes to the replicas as it is, which know no such page."""
    edge.start("web-1")
    assert json.loads(edge.request(f"/ops/replicas/{path}")[2])["path"].startswith("/ops/replicas/")


def test_the_port_for_the_inside_has_the_operations_and_nothing_else(make_edge):
    """There nobody's address matters; who asks is told apart by the Host header, as it was asked for."""
    inside = a_free_port()
    edge = make_edge(inside_port=inside)
    edge.start("web-1")
    edge.port = inside
    told = json.loads(edge.request("/ops/replicas/web-1/metrics", headers={"Host": "nginx:8081"})[2])
    assert (told["path"], told["headers"]["Host"]) == ("/metrics", "nginx:8081")
    assert b"Active connections" in edge.request("/ops/nginx")[2]
    for path in ("/", "/healthz", "/static/app.js", "/ws/", "/metrics"):
        assert edge.request(path)[0] == 404


def test_hashed_files_are_cached_for_ever(edge):
    """Others for a minute; a browser takes the type as it is told."""
    status, headers, body = edge.request("/static/app.0123456789ab.js")
    assert (status, body) == (200, b"hashed")
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert edge.request("/static/app.js")[1]["Cache-Control"] == "public, max-age=60"


def test_the_compressed_file_beside_is_sent(edge):
    """Only to who accepts it, and caches are told."""
    _, headers, body = edge.request("/static/app.js", headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(body) == b"plain"
    assert edge.request("/static/app.js")[2] == b"plain"


@pytest.mark.parametrize("path", ["/static/", "/static/none.js", "/static/../nginx.conf", "/static/..%2fnginx.conf"])
def test_nothing_else_is_served_from_disk(edge, path):
    """No listing, no way up."""
    edge.start("web-1")
    status, headers, _ = edge.request(path)
    assert status in (403, 404) or headers["X-Replica"] == "web-1"


def test_a_link_to_the_file_of_another_owner_is_not_followed(edge):
    """One to a file of the same owner is, so that `collectstatic --link` works."""
    static = edge.folder / "static"
    (static / "own.js").symlink_to(static / "app.js")
    (static / "foreign.js").symlink_to("/etc/hostname")
    assert edge.request("/static/own.js")[2] == b"plain"
    if os.geteuid() == 0:  # for anybody else it is root's file behind a link of their own
        os.lchown(static / "foreign.js", NOBODY, NOBODY)
    assert edge.request("/static/foreign.js")[0] == 403


def test_a_static_folder_may_lie_behind_a_link(make_edge, folder):
    """The way to it is the operator's choice."""
    (folder / "link").symlink_to(folder / "static")
    assert make_edge(static=folder / "link").request("/static/app.js")[2] == b"plain"


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("GET /static/none.js HTTP/1.1", (), b"404"),
        ("GET /static/app.js/none HTTP/1.1", (), b"404"),
        (f"GET /static/{'a' * 300} HTTP/1.1", (), b"404"),
        ("GET /static/ HTTP/1.1", (), b"404"),
        ("GET /static/folder/ HTTP/1.1", (), b"404"),
        ("GET /static/a%0a2026/11/22%20[error]%20forged HTTP/1.1", (), b"400"),
        ("GET /static/%1b[2J HTTP/1.1", (), b"400"),
        ("GET /static/../../etc HTTP/1.1", (), b"400"),
        ("POST / HTTP/1.1", ("Content-Length: 1000000",), b"413"),
        ("POST /static/app.js HTTP/1.1", ("Content-Length: 00002000000",), b"413"),
        ("POST / HTTP/1.1", (f"Content-Length: {'9' * 40}",), b"400"),
        ("POST / HTTP/1.1", ("Transfer-Encoding: gzip",), b"501"),
        ("GET / HTTP/1.1", ("Host: y",), b"400"),
        ("GET / HTTP/3.0", (), b"505"),
        ("CONNECT x:80 HTTP/1.1", (), b"400"),
        ("TRACE / HTTP/1.1", (), b"405"),
        ("\x16\x03\x01 nothing", (), b"400"),
    ],
)
def test_a_client_writes_nothing_into_the_error_log(edge, request_line, headers, status):
    """By asking for what is not there or not allowed, by control characters, by what is no request."""
    (edge.folder / "static/folder").mkdir()
    assert edge.raw(request_line, *headers).split()[1] == status
    assert (edge.folder / "error.log").read_text() == ""


def test_who_asks_from_outside_writes_nothing_into_the_error_log(make_edge):
    """What is for this machine alone is refused without a line: anybody could write as many as he likes."""
    edge = make_edge(trusted_proxies=("127.0.0.1/32",))
    for path in (
        "/healthz", "/metrics", "/readyz", "/ops/x", "/ops/nginx", "/ops/replicas/web-1/metrics", "/ops/worker/metrics",
    ):  # fmt: skip
        assert edge.request(path, headers={"X-Forwarded-For": "198.51.100.7"})[0] == 403
    assert (edge.folder / "error.log").read_text() == ""


WRITES = {
    "chunks that are none": b"zz\r\n",
    "a chunk that is too large": b"200000\r\nx",
}


@pytest.mark.parametrize("body", WRITES)
def test_what_a_client_can_write_is_a_line_for_a_request(edge, body):
    """SECURITY.md names what is left: it ends the connection, and whoever keeps the log bounds it."""
    edge.start("web-1")
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as link:
        link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + WRITES[body])
        assert link.recv(4096).split()[1] in (b"400", b"413")
    (line,) = (edge.folder / "error.log").read_text().splitlines()
    assert "[error]" in line


HIDDEN = "abc123xyz"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/ops/", "/ws/chat/x/", "/events/x", "/poll/x", "/dies", "/poll/dies", "/back", "/poll/back", "/healthz",
        "/readyz", "/ops/replicas/web-3/metrics", "/ops/worker/metrics", "/static/folder", "/static/app.js/x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("there", [True, False], ids=["with a replica", "with none"])
def test_no_query_stands_in_a_log(edge, path, there):
    """Whatever fails on the way, also that of the page from which a request comes."""
    if there:
        edge.start("web-1")
    (edge.folder / "static/folder").mkdir(mode=0)
    for _ in range(3):
        edge.raw(f"GET {path}?token={HIDDEN} HTTP/1.1")
        edge.raw(f"GET {path} HTTP/1.1", f"Referer: http://x/?token={HIDDEN}")
        edge.raw(f"POST {path}?token={HIDDEN} HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", "", "zz")
        edge.raw(f"GET {path}?token={HIDDEN} HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade")
    edge.process.send_signal(signal.SIGQUIT)  # what is buffered is written
    edge.process.wait(timeout=10)
    for name in ("access.log", "error.log"):
        assert HIDDEN not in (edge.folder / name).read_text(), name


def test_what_fails_without_a_query_is_told(edge):
    """By its reason, which no other log has."""
    edge.start("web-1")
    assert edge.request("/dies")[0] == 502
    edge.stop("web-1")

    def has_none():
        edge.request("/")  # the first finds that nobody is there, the next within a second that none is left
        return "no live upstreams while connecting to upstream" in (edge.folder / "error.log").read_text()

    await_that(has_none, 30, "nginx says that it has no replica left")
    told = (edge.folder / "error.log").read_text()
    assert "upstream prematurely closed connection while reading response header" in told


@pytest.mark.parametrize("path", ["/back", "/poll/back"])
@pytest.mark.parametrize("query", ["", "?a=b%20c"])
def test_a_query_changes_nothing_but_the_log(edge, path, query):
    """Method, path, body, what a replica may do, what a client is told when there is none."""
    edge.start("web-1")
    status, headers, body = edge.request(path + query, "POST", b"body", {"Expect": "100-continue"})
    told = json.loads(body)
    assert (status, headers["X-Replica"], told["method"], told["path"]) == (200, "web-1", "POST", path + query)
    assert told["headers"]["Content-Length"] == "4"
    edge.stop("web-1")
    status, headers, body = edge.request(path + query, headers=BROWSER)
    assert (status, headers["Retry-After"]) == (502, "2")
    assert b"<code>make status</code>" in body


def test_responses_are_compressed_on_the_fly(edge):
    """JSON and text, for who accepts it."""
    edge.start("web-1")
    _, headers, body = edge.request("/", headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert len(body) < 2000


@pytest.mark.parametrize("path", ["/events/chat.lobby", "/events?group=chat.lobby&group=chat.b"])
def test_an_event_goes_out_when_it_comes(edge, path):
    """A stream is neither buffered nor compressed."""
    edge.start("web-1")
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    assert answer.readline() == b"data: one\n"
    answer.close()
    connection.close()


def test_without_a_replica_a_person_gets_a_page(edge):
    """It says what is the matter and what to do, and is never cached."""
    status, headers, body = edge.request("/", headers=BROWSER)
    assert status == 502
    assert headers["Content-Type"].startswith("text/html")
    assert (headers["Retry-After"], headers["Cache-Control"]) == ("2", "no-store")
    assert b"<code>make status</code>" in body


def test_without_a_replica_a_program_gets_json(edge):
    """The same for a POST."""
    for method in ("GET", "POST"):
        status, headers, body = edge.request("/", method, headers={"Accept": "application/json"})
        assert status == 502
        assert headers["Content-Type"].startswith("application/json")
        assert json.loads(body)["error"] == "unavailable"


def test_a_replicas_own_errors_pass_untouched(edge):
    """A 503 of /readyz carries its reasons."""
    edge.start("web-1")
    status, headers, body = edge.request("/sick", headers=BROWSER)
    assert (status, headers["X-Replica"]) == (503, "web-1")
    assert json.loads(body)["method"] == "GET"


def test_the_error_page_has_no_address_of_its_own(edge):
    """It is reached by errors only."""
    edge.start("web-1")
    assert edge.request("/-unavailable/unavailable.html")[0] == 404


def test_the_access_log_says_who_answered(edge):
    """One JSON object a request, without the query, with the replica; what a client sends cannot break it."""
    edge.start("web-1")
    edge.request("/?token=secret", headers={"User-Agent": 'a"b\\'})
    edge.process.send_signal(signal.SIGQUIT)  # what is buffered is written
    edge.process.wait(timeout=10)
    (line,) = edge.log()
    assert line["path"] == "/"
    assert (line["replica"], line["status"], line["remote_addr"]) == ("web-1", "200", "127.0.0.1")
    assert line["user_agent"] == 'a"b\\'
    assert line["upstream_addr"].endswith("web-1.sock")
    assert len(line["request_id"]) == 32


def test_a_requests_id_is_the_same_in_the_log_and_at_the_replica(make_edge):
    """Each gets its own; a client's is not heard, a trusted proxy's is, if it can be one."""
    trusting, given = make_edge(trusted_proxies=("127.0.0.1/32",)), "a1b2c3d4-e5f6.7890_x"
    trusting.start("web-1")
    assert trusting.told(headers={"X-Request-ID": given})["X-Request-ID"] == given
    for bad in ("short", "x" * 65, 'a"b\\c d;e,f', "a1b2c3d4 e5f6"):
        made = trusting.told(headers={"X-Request-ID": bad})["X-Request-ID"]
        assert len(made) == 32
    trusting.process.send_signal(signal.SIGQUIT)
    trusting.process.wait(timeout=10)
    assert {given, made} < {line["request_id"] for line in trusting.log()}


def test_a_clients_own_id_is_not_heard(edge):
    """Two requests under one id would be one in the logs; the answer that nginx gives itself names the id, too."""
    edge.start("web-1")
    ids = {edge.told(headers={"X-Request-ID": "a1b2c3d4e5f6"})["X-Request-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert {len(name) for name in ids} == {32}
    edge.stop("web-1")
    status, headers, _ = edge.request("/", headers={"X-Request-ID": "a1b2c3d4e5f6"})
    assert (status, len(headers["X-Request-ID"])) == (502, 32)


def test_a_body_too_large_is_refused(edge):
    """Before it reaches a replica."""
    edge.start("web-1")
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as link:
        link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n")
        assert link.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_new_replica_is_seen_within_seconds(edge):
    """Also when its slot has just failed."""
    edge.start("web-1")
    edge.request("/")
    edge.start("web-2")
    begin = time.monotonic()
    while edge.request("/")[1]["X-Replica"] != "web-2":
        assert time.monotonic() - begin < 5 * slowed()
