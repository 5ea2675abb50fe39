"""Clients of a real nginx that keep their connection, and clients that mean no good."""

import contextlib
import re
import socket
import time

import pytest

from fleet import nginx

LIMIT = 30
BYSTANDER_SECONDS = 1
"""What one request may take while others misbehave."""


@pytest.fixture
def hasty(make_edge, monkeypatch):
    """An nginx that gives a head or a silence in a body one second instead of fifteen."""
    render = nginx.render
    monkeypatch.setattr(
        nginx, "render", lambda edge: re.sub(r"(client_(head|bod)\w+_timeout) 15s", r"\1 1s", render(edge))
    )
    made = make_edge()
    made.start("web-1")
    return made


@pytest.fixture
def served(edge):
    """An nginx with a replica behind it."""
    edge.start("web-1")
    return edge


def connect(edge):
    return socket.create_connection(("127.0.0.1", edge.port), timeout=LIMIT)


def request(path, *headers, method="GET"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def everything(connection):
    """Read until nginx hangs up; a reset is an end too."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def bystander(edge):
    began = time.monotonic()
    assert edge.request("/")[0] == 200
    assert time.monotonic() - began < BYSTANDER_SECONDS


def test_pipelined_requests_are_answered_in_order(served):
    """A hundred in one write on one connection, though each has its own to the replica."""
    with connect(served) as connection:
        heads = [request("/", f"X-Number: {n}") for n in range(100)]
        connection.sendall(b"".join(heads) + request("/", "X-Number: last", "Connection: close"))
        data = everything(connection)
    assert re.findall(rb'"X-Number": "(\w+)"', data) == [*(b"%d" % n for n in range(100)), b"last"]
    assert data.count(b"HTTP/1.1 200") == 101


BOMBS = {
    "a path of 100,000 characters": (request("/" + "x" * 100_000), b"414"),
    "a header of 100,000 characters": (request("/", "X-Bomb: " + "x" * 100_000), b"400"),
    "10,000 headers": (request("/", *(f"X-{n}: x" for n in range(10_000))), b"400"),
    "a head without an end": (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 200_000, b"400"),
    "a line without an end": (b"G" * 1_000_000, b"4"),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    "a negative length": (request("/", "Content-Length: -1"), b"400"),
    "two lengths": (request("/", "Content-Length: 1", "Content-Length: 2"), b"400"),
    "a length and chunks": (request("/", "Content-Length: 1", "Transfer-Encoding: chunked"), b"400"),
    "a chunk of no length": (request("/", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n", b"400"),
    "a body that is too long": (request("/", "Content-Length: 99999999", method="POST"), b"413"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_malformed_request_is_refused_and_the_connection_ends(served, bomb):
    """4xx before a replica hears of it; nobody else notices."""
    data, status = BOMBS[bomb]
    with connect(served) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        bystander(served)
        answer = everything(connection)
        assert answer == b"" or re.match(rb"(HTTP/1\.1 %b|<html>)" % status, answer), answer[:200]


BEGINNINGS = {
    "half a line": (b"GE", True),
    "half a head": (b"GET / HTTP/1.1\r\nHost: localhost\r\n", True),
    "half a body": (request("/", "Content-Length: 1000", method="POST"), False),
    "half a chunk": (request("/", "Transfer-Encoding: chunked", method="POST") + b"ff\r\n", False),
}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_slow_clients_are_cut_off_and_nobody_notices(hasty, beginning):
    """A hundred that send a byte now and then for a head, or nothing of a body; no replica waits for them."""
    begun, trickle = BEGINNINGS[beginning]
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(hasty)) for _ in range(100)]
        for connection in slow:
            connection.sendall(begun)
            connection.setblocking(False)
        deadline = time.monotonic() + LIMIT
        while slow:
            assert time.monotonic() < deadline, f"{len(slow)} are still connected"
            bystander(hasty)
            slow = [connection for connection in slow if is_there(connection, trickle)]
            time.sleep(0.1)


def is_there(connection, trickle):
    """Send one more byte; return whether the connection is still there."""
    try:
        if trickle:
            connection.send(b"x")
        return connection.recv(65536) != b""
    except BlockingIOError:
        return True
    except (BrokenPipeError, ConnectionResetError):
        return False
