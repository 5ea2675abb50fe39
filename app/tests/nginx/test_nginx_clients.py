"""Clients of a real nginx that keep their connection, and clients that mean no good."""

import re
import socket

import pytest

from fleet import nginx
from tests.misbehaving import BOMBS, are_cut_off, everything, explode, request
from tests.replicas import LIMIT


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


def asking(edge):
    """What another client does meanwhile."""
    return lambda: edge.request("/")[0]


def test_pipelined_requests_are_answered_in_order(served):
    """A hundred in one write on one connection, though each has its own to the replica."""
    with connect(served) as connection:
        heads = [request("/", f"X-Number: {n}") for n in range(100)]
        connection.sendall(b"".join(heads) + request("/", "X-Number: last", "Connection: close"))
        data = everything(connection)
    assert re.findall(rb'"X-Number": "(\w+)"', data) == [*(b"%d" % n for n in range(100)), b"last"]
    assert data.count(b"HTTP/1.1 200") == 101


REFUSALS = {
    **dict.fromkeys(BOMBS, b"400"),
    "a path of 100,000 characters": b"414",
    "a line without an end": b"4",
    "a body that is too long": b"413",
}
TOO_LONG = request("/", "Content-Length: 99999999", method="POST")


@pytest.mark.parametrize("bomb", REFUSALS)
def test_a_malformed_request_is_refused_and_the_connection_ends(served, bomb):
    """4xx before a replica hears of it; nobody else notices."""
    with connect(served) as connection:
        answer = explode(connection, BOMBS.get(bomb, TOO_LONG), asking(served))
    assert answer == b"" or re.match(rb"(HTTP/1\.1 %b|<html>)" % REFUSALS[bomb], answer), answer[:200]


BEGINNINGS = {
    "half a line": (b"GE", True),
    "half a head": (b"GET / HTTP/1.1\r\nHost: localhost\r\n", True),
    "half a body": (request("/", "Content-Length: 1000", method="POST"), False),
    "half a chunk": (request("/", "Transfer-Encoding: chunked", method="POST") + b"ff\r\n", False),
}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_slow_clients_are_cut_off_and_nobody_notices(hasty, beginning):
    """A hundred that send a byte now and then for a head, or nothing of a body; no replica waits for them."""
    begun, trickles = BEGINNINGS[beginning]
    are_cut_off(lambda: connect(hasty), begun, asking(hasty), count=100, trickles=trickles)
