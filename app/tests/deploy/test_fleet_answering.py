import http.server
import ssl
import threading

import pytest

from fleet.answering import replica_at
from fleet.state import Settings
from tests import certificates


class Answers(http.server.BaseHTTPRequestHandler):
    """Refuses, as a replica that knows the host under no name."""

    def do_GET(self):
        self.send_response(400)
        self.send_header("X-Replica", self.headers["Host"])
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server():
    """What answers in the place of nginx and a replica; not served yet."""
    made = http.server.HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def test_the_replica_is_named_whatever_it_answers(server):
    """Also when it refuses: it is asked who answers, not what."""
    assert replica_at("127.0.0.1", Settings(port=server.server_port), "web-7") == "web-7"


def test_where_tls_is_the_only_way_in_it_is_taken(server, tmp_path):
    """With the fleet's own certificate; whoever shows another one is not believed."""
    certificate, key = certificates.write(tmp_path)
    other, _ = certificates.write(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    shown = Settings(port=1, tls_port=server.server_port, tls=True, tls_certificate=str(certificate))
    assert replica_at("127.0.0.1", shown, "web-7") == "web-7"
    not_shown = Settings(port=1, tls_port=server.server_port, tls=True, tls_certificate=str(other))
    assert replica_at("127.0.0.1", not_shown, "web-7") is None


def test_where_nobody_listens_there_is_no_answer(server):
    """Nor where the certificate cannot be read."""
    assert replica_at("127.0.0.1", Settings(port=1), "web-7") is None
    unread = Settings(port=1, tls_port=server.server_port, tls=True, tls_certificate="/nowhere.pem")
    assert replica_at("127.0.0.1", unread, "web-7") is None
