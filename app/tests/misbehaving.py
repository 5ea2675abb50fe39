"""HTTP clients that mean no good, for whatever listens: what they send, and what others notice of it."""

import contextlib
import time

from tests.busy import slowed
from tests.replicas import LIMIT

BYSTANDER_SECONDS = 1
"""What one request may take while others misbehave."""


def request(path, *headers, method="GET"):
    """Return the head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


BOMBS = {
    "a path of 100,000 characters": request("/" + "x" * 100_000),
    "a header of 100,000 characters": request("/", "X-Bomb: " + "x" * 100_000),
    "10,000 headers": request("/", *(f"X-{n}: x" for n in range(10_000))),
    "a head without an end": b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 200_000,
    "a line without an end": b"G" * 1_000_000,
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a negative length": request("/", "Content-Length: -1"),
    "two lengths": request("/", "Content-Length: 1", "Content-Length: 2"),
    "a length and chunks": request("/", "Content-Length: 1", "Transfer-Encoding: chunked"),
    "a chunk of no length": request("/", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n",
    "a chunk size without an end": request("/", "Transfer-Encoding: chunked", method="POST") + b"1" * 100_000,
}


def everything(connection):
    """Read until the other side hangs up; a reset is an end too."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def explode(connection, data, ask):
    """Send what makes no sense while another client asks; return the answer."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(data)
    bystander(ask)
    return everything(connection)


def bystander(ask):
    """Have another client ask for a status: it has to be quick, not thrice in a row a busy machine's fault."""
    took = []
    while not took or (took[-1] >= BYSTANDER_SECONDS and len(took) < 3):
        began = time.monotonic()
        assert ask() == 200
        took.append(time.monotonic() - began)
    assert took[-1] < BYSTANDER_SECONDS * slowed(), took


def are_cut_off(connect, begun, ask, *, count, trickles):
    """Wait until all who have sent a beginning, and then a byte now and then or nothing, are cut; nobody notices."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect()) for _ in range(count)]
        for connection in slow:
            connection.sendall(begun)
            connection.setblocking(False)
        deadline = time.monotonic() + LIMIT
        while slow:
            assert time.monotonic() < deadline, f"{len(slow)} are still connected"
            bystander(ask)
            slow = [connection for connection in slow if _is_there(connection, trickles)]
            time.sleep(0.1)


def _is_there(connection, trickles):
    """Send one more byte; return whether the connection is still there."""
    try:
        if trickles:
            connection.send(b"x")
        return connection.recv(65536) != b""
    except BlockingIOError:
        return True
    except (BrokenPipeError, ConnectionResetError):
        return False
