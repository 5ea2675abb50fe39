"""TLS and HTTP/2 at a real nginx."""

import json
import shutil
import socket
import ssl
import subprocess
import warnings

import httpx
import pytest

LIMIT = 30


@pytest.fixture
def http2(secure_edge):
    """A client that speaks HTTP/2 where it can."""
    secure_edge.start("web-1")
    with httpx.Client(http2=True, verify=secure_edge.context, base_url=secure_edge.secure_url, timeout=LIMIT) as client:
        yield client


def test_pages_come_over_one_http2_connection(http2):
    """Requests reach a replica, which is told the scheme."""
    for _ in range(20):
        answer = http2.get("/")
        assert (answer.http_version, answer.status_code, answer.headers["X-Replica"]) == ("HTTP/2", 200, "web-1")
        assert answer.json()["headers"]["X-Forwarded-Proto"] == "https"


def test_the_scheme_is_not_the_clients_to_say(http2):
    """Neither over TLS nor beside it."""
    answer = http2.get("/", headers={"X-Forwarded-Proto": "http"})
    assert answer.json()["headers"]["X-Forwarded-Proto"] == "https"


def test_beside_tls_plain_http_goes_on(secure_edge):
    """On its own port, and says so to the replica."""
    secure_edge.start("web-1")
    assert secure_edge.told()["X-Forwarded-Proto"] == "http"


def test_a_stream_comes_as_it_is_made_over_http2(http2):
    """The first event is there while the replica says nothing more, and other requests go on beside it."""
    with http2.stream("GET", "/events/chat.lobby") as answer:
        assert (answer.http_version, next(answer.iter_raw())) == ("HTTP/2", b"data: one\n\n")
        assert http2.get("/").status_code == 200


@pytest.mark.parametrize(("option", "version"), [("--http2", "2"), ("--http1.1", "1.1")])
def test_curl_speaks_what_it_asks_for(secure_edge, option, version):
    """TLS negotiates it."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (Debian: apt-get install curl)")
    secure_edge.start("web-1")
    command = ["curl", "--silent", "--show-error", "--cacert", secure_edge.folder / "certificate.pem", option]
    report = ["--write-out", "\n%{http_version}", secure_edge.secure_url]
    done = subprocess.run([*command, *report], capture_output=True, text=True, check=True, timeout=LIMIT)
    body, _, spoken = done.stdout.rpartition("\n")
    assert (json.loads(body)["method"], spoken) == ("GET", version)


def test_old_protocols_are_refused(secure_edge):
    """TLS 1.2 is the least."""
    address = ("127.0.0.1", int(secure_edge.secure_url.rpartition(":")[2]))
    for version, is_taken in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        context = ssl.create_default_context(cafile=secure_edge.folder / "certificate.pem")
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):  # Python says that TLS 1.1 is old
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(address, timeout=LIMIT) as raw:
            if is_taken:
                context.wrap_socket(raw, server_hostname="127.0.0.1").close()
            else:
                with pytest.raises(ssl.SSLError):
                    context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_plain_http_on_the_tls_port_is_told(secure_edge):
    """400, no silence."""
    assert httpx.get(secure_edge.secure_url.replace("https", "http")).status_code == 400
