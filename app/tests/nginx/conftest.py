import gzip
import http.client
import http.server
import json
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from fleet import nginx, packages
from tests import certificates
from tests.ports import a_free_port
from tests.replicas import start  # noqa: F401  # a fixture

PAGE = "x" * 4096


class Replica(socketserver.ThreadingUnixStreamServer):
    """A stand-in for a replica: answers with what it was told, as JSON."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder, name):
        self.name = name
        super().__init__(str(folder / f"{name}.sock"), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def close(self, *, leave_file=False):
        """End it; a killed replica leaves its socket file."""
        self.shutdown()
        self.server_close()
        if not leave_file:
            Path(self.server_address).unlink()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        if self.path == "/dies":
            self.close_connection = True
            return
        if "back" in self.path and (place := self.headers["X-Send-Back"]):
            self.send_back(place)
            return
        if self.path == "/shakes" and "Upgrade" in self.headers:
            self.shake()
            return
        if self.path.startswith("/events"):
            self.stream()
            return
        body = json.dumps(
            {"headers": dict(self.headers), "method": self.command, "path": self.path, "page": PAGE}
        ).encode()
        self.send_response(503 if self.path == "/sick" else 200)
        self.send_header("X-Replica", self.server.name)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def send_back(self, place):
        """Have nginx ask again."""
        self.send_response(503)
        self.send_header("X-Accel-Redirect", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def shake(self):
        """Switch protocols, and say back what comes."""
        self.send_response(101)
        self.send_header("Upgrade", self.headers["Upgrade"])
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.close_connection = True
        self.connection.settimeout(10)
        self.connection.sendall(self.connection.recv(100))

    def stream(self):
        """Send one event, then stay silent until the client goes."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: one\n\n")
        self.wfile.flush()
        self.connection.settimeout(10)
        self.connection.recv(1)


class Edge:
    """A running nginx with the rendered configuration, and replicas that a test starts as it likes."""

    def __init__(self, folder, port, process):
        self.folder, self.port, self.process = folder, port, process
        self.replicas = {}

    def start(self, *names):
        for name in names:
            self.replicas[name] = Replica(self.folder / "sockets", name)

    def stop(self, name, **options):
        self.replicas.pop(name).close(**options)

    def request(self, path, method="GET", body=None, headers=None, *, address="127.0.0.1", source=None):
        """Return status, headers and body of one request on a connection of its own, from `source` if it is given."""
        own = (source, 0) if source else None
        connection = http.client.HTTPConnection(address, self.port, timeout=10, source_address=own)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def raw(self, *lines):
        """Return the beginning of the answer to a request head as it stands."""
        head = "\r\n".join([*lines, "Host: x", "", ""])
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as link:
            link.sendall(head.encode())
            return link.recv(4096)

    def told(self, path="/", headers=None):
        """Return the headers that a replica got."""
        return json.loads(self.request(path, headers=headers)[2])["headers"]

    def log(self):
        """Return the access log, whole lines."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return [json.loads(line) for line in lines]


def values(folder, port, **changes):
    """The values of a configuration below a folder."""
    given = {
        "port": port, "bind": ("127.0.0.1",), "sockets": folder / "sockets", "static": folder / "static",
        "prefix": folder, "pid": folder / "nginx.pid", "descriptors": 1024, "connections": 512, "slots": 4,
        "user": nginx.user(), "access_log": f'"{folder}/access.log"',
    }  # fmt: skip
    return nginx.Edge(**{**given, **changes})


@pytest.fixture
def folder():
    """A short folder with static files in it."""
    with tempfile.TemporaryDirectory(prefix="edge-", dir="/tmp") as name:
        path = Path(name)
        for part in ("sockets", "static", "temporary"):
            (path / part).mkdir()
        (path / "static/app.0123456789ab.js").write_text("hashed")
        (path / "static/app.js").write_text("plain")
        (path / "static/app.js.gz").write_bytes(gzip.compress(b"plain"))
        yield path


@pytest.fixture
def make_edge(folder):
    """Start nginx; it has ended when the test has."""
    edges = []

    def make(**changes):
        port = a_free_port()
        path = folder / "nginx.conf"
        path.write_text(nginx.render(values(folder, port, **changes)))
        log = (folder / "error.log").open("w")
        command = [packages.require("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(path)]
        process = subprocess.Popen(command, stderr=log)
        log.close()
        edge = Edge(folder, port, process)
        edges.append(edge)
        tls = changes.get("tls")
        for each in (port, tls.port) if tls else (port,):
            wait_for_listener(each)  # ports begin to listen one after the other
        return edge

    yield make
    for edge in edges:
        for replica in edge.replicas.values():
            replica.close()
        edge.process.terminate()
        edge.process.wait(timeout=10)


def wait_for_listener(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError("nginx does not listen")


@pytest.fixture
def secure_edge(make_edge, folder):
    """An nginx with TLS; `context` trusts its certificate."""
    certificate, key = certificates.write(folder)
    port = a_free_port()
    made = make_edge(tls=nginx.Tls(port, str(certificate), str(key)))
    made.secure_url, made.context = f"https://127.0.0.1:{port}", certificates.trusting(certificate)
    return made


@pytest.fixture
def edge(make_edge):
    """An nginx with four slots, none of them taken."""
    return make_edge()
