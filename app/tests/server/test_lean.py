"""The limits in time of a connection: stock Daphne and ours keep the same, though ours has no timer for each."""

import asyncio
import contextlib
import resource
import select
import time

import pytest

from tests.busy import slowed
from tests.replicas import LIMIT

APPLICATION = "telling:application"
GRID = 2
"""Seconds between two looks of Daphne at its connections."""
EARLY = 1
"""Seconds by which stock Daphne's limit for the handshake may come early: autobahn fires its timers in batches."""
UPGRADE = (
    "GET {} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture(params=["daphne", "server"])
def serve(request, scripted):
    """Start stock Daphne, and in a second run ours, with given flags."""

    def start(*options):
        server = scripted.tcp(request.param, *options, "-p", "0", APPLICATION)
        server.is_stock = request.param == "daphne"
        return server

    return start


def asked(server, path="/"):
    """A connection that has sent its upgrade."""
    connection = server.connection()
    connection.sendall(UPGRADE.format(path).encode())
    return connection


def all_of(connection):
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_a_handshake_that_nobody_answers_is_cut(serve):
    """Within the limit and a look; stock does so without an answer, which nginx would take for a dead replica."""
    server = serve("--websocket_connect_timeout", "2")
    with asked(server, "/never") as connection:
        began = time.monotonic()
        said = all_of(connection)
        assert time.monotonic() - began >= 2 - EARLY
    assert said == b"" if server.is_stock else said.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")


@pytest.mark.slow
def test_a_socket_that_is_too_old_is_closed(serve):
    """With 1000, if --websocket_timeout says so."""
    server = serve("--websocket_timeout", "1")
    with asked(server) as connection:
        head, _, frames = all_of(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    assert frames.endswith(b"\x88\x02\x03\xe8")


async def test_who_answers_pings_stays_and_who_does_not_is_cut(serve):
    """Pings go out when nothing comes in; a missing pong ends the connection, a pong keeps it."""
    server = serve("--ping-interval", "1", "--ping-timeout", "3")
    async with asyncio.timeout(LIMIT), server.websocket() as alive:
        with asked(server) as dead:
            said = await asyncio.to_thread(all_of, dead)
        assert b"\x89\x0c" in said  # a ping of twelve bytes
        await alive.recv()  # its scope
        await alive.recv()  # that it is connected
        await alive.send("still there")
        assert "still there" in await alive.recv()


@pytest.mark.slow
def test_no_ping_follows_one_that_is_not_answered_yet(scripted):
    """A late pong is in time within the limit; the next ping comes behind it."""
    server = scripted.replica(APPLICATION, "--ping-interval", "1", "--ping-timeout", str(LIMIT))
    with asked(server) as connection:
        ping = next_ping(connection)
        assert not select.select([connection], [], [], 2 * GRID)[0]
        connection.sendall(b"\x8a\x8c\0\0\0\0" + ping)
        assert next_ping(connection) != ping


def next_ping(connection):
    """Read up to a ping; return its twelve bytes."""
    said = b""
    while (at := said.find(b"\x89\x0c")) < 0 or len(said) < at + 14:
        part = connection.recv(65536)
        assert part, said
        said += part
    return said[at + 2 :]


@pytest.mark.slow
def test_who_says_nothing_is_cut(scripted):
    """By Twisted's limit for the idle, here a second."""
    (scripted.folder / "impatient.py").write_text(
        "from telling import application\nfrom server import channel\nchannel.SECONDS = 1\n"
    )
    replica = scripted.replica("impatient:application")
    with replica.connection() as silent, replica.connection() as half:
        half.sendall(b"GET / HTTP/1.1\r\nHost")
        began = time.monotonic()
        assert all_of(half) == all_of(silent) == b""
        assert time.monotonic() - began < 10 * GRID * slowed()
    assert replica.get()[0] == 200


def test_who_is_not_answered_yet_is_not_read(scripted):
    """A client that talks before the answer to its upgrade is stopped by its own socket."""
    replica = scripted.replica(APPLICATION, "--websocket_connect_timeout", str(LIMIT))
    with asked(replica, "/never") as connection:
        connection.settimeout(3)
        sent, piece = 0, b"\0" * 65536
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                sent += connection.send(piece)
    assert (1 << 20) <= sent < (8 << 20)


def test_connections_that_only_come_and_go_leave_nothing(scripted):
    """Neither silent ones nor such as are served count as open afterwards."""
    replica = scripted.replica(APPLICATION)
    for _ in range(20):
        replica.connection().close()
        with asked(replica) as connection:
            assert connection.recv(12) == b"HTTP/1.1 101"
    assert replica.stop() == 0
    replica.said("draining, 0 sockets open")
    assert "Traceback" not in replica.log


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_running_out_of_descriptors_stops_nobody_who_is_there(scripted, kind):
    """Who comes then is turned away; when others have gone, the next is served."""
    server = scripted.replica(APPLICATION) if kind == "unix" else scripted.tcp("server", "-p", "0", APPLICATION)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (64, 64))
    with contextlib.ExitStack() as stack:
        there = stack.enter_context(asked(server))
        assert there.recv(12) == b"HTTP/1.1 101"
        crowd = [stack.enter_context(server.connection()) for _ in range(100)]
        turned_away = set()
        while len(turned_away) < 100 - 64:
            ended, _, _ = select.select(set(crowd) - turned_away, [], [], LIMIT)
            assert ended
            turned_away.update(ended)
        assert {connection.recv(1) for connection in turned_away} == {b""}
        for connection in crowd:
            connection.close()
        there.sendall(b"\x81\x82\0\0\0\0hi")
        while b"hi" not in there.recv(65536):
            pass
        while not _is_served(server):  # until it has noticed that the others are gone
            pass
    assert server.stop() == 0


def _is_served(server):
    with asked(server) as connection, contextlib.suppress(ConnectionError):
        return connection.recv(12) == b"HTTP/1.1 101"
    return False
