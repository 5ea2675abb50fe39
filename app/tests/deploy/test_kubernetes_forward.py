"""One local port for several pods."""

import socket
import threading

from fleet.kubernetes.forward import relayed
from tests.ports import a_free_port


def answering(name):
    """A server that says its name and what it was told, until the client has ended; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            with link, link.makefile("rb") as lines:
                for line in lines:
                    link.sendall(name + b" " + line)

    threading.Thread(target=serve, daemon=True).start()
    return listener


def test_connections_go_to_the_ports_in_turn():
    """Each both ways, and as long as the client wants."""
    servers = [answering(name) for name in (b"a", b"b")]
    with relayed([server.getsockname()[1] for server in servers]) as port:
        links = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
        names = []
        for link in links:
            with link, link.makefile("rb") as lines:
                for _ in range(2):
                    link.sendall(b"hello\n")
                    name, _, rest = lines.readline().partition(b" ")
                    assert rest == b"hello\n"
                names.append(name)
    for server in servers:
        server.close()
    assert names == [b"a", b"b", b"a", b"b"]


def test_a_port_that_is_gone_closes_the_connection():
    """The client sees an end, and may try another."""
    with relayed([a_free_port()]) as local, socket.create_connection(("127.0.0.1", local), timeout=10) as link:
        assert link.recv(1) == b""
