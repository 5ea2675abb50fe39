import socket
import threading

import pytest

from bench.parts.storm import let_go

ANSWERS = [b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b""]


@pytest.fixture
def address():
    """A server that answers the first with 101, the second with 502, and closes the third; then anew."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)

    def serve():
        number = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1000)
                connection.sendall(ANSWERS[number % 3])
            number += 1

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    listener.close()


def test_every_answer_is_counted(address):
    """By its status, and what closes without one by itself."""
    storm = let_go(address, "/ws/chat/", 30)
    assert storm.answers["101"] == storm.answers["502"] == storm.answers["closed without an answer"] == 10
    assert storm.failed == 20
    assert 0 < storm.began <= storm.seconds


def test_a_refused_connection_is_counted():
    """Nobody listens: every one of them is told by the kernel's word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    assert let_go(address, "/", 5).answers["ECONNREFUSED"] == 5
