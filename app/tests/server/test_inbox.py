"""A handler in place of a running application: one message at a time, one disconnect, whatever happens."""

import asyncio
import contextlib
import signal
import socket

import pytest
from websockets.exceptions import ConnectionClosed

from tests.replicas import LIMIT

APPLICATION = "handled:application"
LEFT = "noted: disconnect, busy False"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture
def replica(scripted):
    return scripted.replica(APPLICATION)


@contextlib.asynccontextmanager
async def clients(replica, count):
    async with asyncio.timeout(LIMIT), contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(replica.websocket()) for _ in range(count)]


@contextlib.contextmanager
def silent(replica, count):
    """Clients that are connected and then neither read nor answer."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(replica.connection()) for _ in range(count)]
        for connection in opened:
            connection.sendall(UPGRADE)
            assert connection.recv(12) == b"HTTP/1.1 101"
        yield opened


async def test_messages_are_handled_one_at_a_time_and_in_order(replica):
    """However long each takes, and however fast they come."""
    async with clients(replica, 3) as opened:
        for number in range(300):
            for client in opened:
                await client.send(f"echo {number}")
        for client in opened:
            assert [await client.recv() for _ in range(300)] == [str(number) for number in range(300)]
    assert replica.stop() == 0
    assert "Traceback" not in replica.log


async def test_an_idle_connection_holds_no_task(replica):
    """Fifty of them add none to those of the server itself."""
    async with clients(replica, 1) as (asker,):
        await asker.send("tasks")
        alone = int(await asker.recv())
        async with clients(replica, 50):
            await asker.send("tasks")
            assert int(await asker.recv()) == alone


async def test_disconnect_comes_once_however_the_client_goes(replica):
    """With a close frame, without one, and after a message."""
    async with clients(replica, 2) as (polite, talker):
        with silent(replica, 3):
            await talker.send("echo 1")
            assert await talker.recv() == "1"
            await polite.close()
    for _ in range(5):
        replica.said(LEFT)
    assert replica.stop() == 0
    assert replica.lines.count(LEFT) == 5


async def test_disconnect_waits_for_the_message_before_it(replica):
    """A client that goes while its message is handled is taken leave of afterwards."""
    async with clients(replica, 1) as (client,):
        await client.send("hold")
        await asyncio.to_thread(replica.said, "waits for SIGUSR1")
    async with clients(replica, 1) as (other,):  # the server has heard of the close by now
        await other.send("echo 1")
        await other.recv()
        assert LEFT not in replica.lines
        replica.signal(signal.SIGUSR1)
        await asyncio.to_thread(replica.said, "noted: goes on")
        await asyncio.to_thread(replica.said, LEFT)


async def test_an_error_is_logged_and_closes_with_1011(replica):
    """The handler is told of the end once, and nothing more; the replica goes on."""
    async with clients(replica, 2) as (client, other):
        await client.send("raise")
        await client.send("echo 2")
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1011
        replica.said("Exception inside application: the handler breaks")
        await other.send("echo 3")
        assert await other.recv() == "3"
    assert replica.stop() == 0
    assert replica.lines.count(LEFT) == 2


async def test_who_is_not_served_is_not_read(replica):
    """A client that talks on while its message is handled is stopped by its own socket; then all is served in order."""
    with silent(replica, 1) as (connection,):
        connection.sendall(frame(b"hold"))
        replica.said("waits for SIGUSR1")
        connection.settimeout(1)
        message = frame(b"x" * 60_000)
        stream = message * 1000
        sent = sent_until_it_blocks(connection, stream, len(message))
        assert sent < 8 << 20
        replica.signal(signal.SIGUSR1)
        connection.settimeout(LIMIT)
        connection.sendall(stream[sent : sent + -sent % len(message)] + frame(b"echo 7"))
        while not connection.recv(4096).endswith(b"\x81\x017"):
            pass


def sent_until_it_blocks(connection, stream, step):
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < len(stream):
            sent += connection.send(stream[sent : sent + step])
    return sent


def frame(payload):
    """A client's text frame whose mask changes nothing."""
    length = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + payload


# -- the replica's exit ---------------------------------------------------------------------------------


async def test_a_drain_tells_every_handler(replica):
    """Idle ones, which no task stands for, as well: all have taken leave before the exit."""
    async with clients(replica, 30) as opened:
        replica.signal(signal.SIGTERM)
        for client in opened:
            await client.wait_closed()
        assert {client.close_code for client in opened} == {1012}
        assert await asyncio.to_thread(replica.wait) == 0
    assert replica.lines.count(LEFT) == 30


async def test_a_drain_waits_for_what_is_handled(replica):
    """A message under way is finished, then comes the disconnect, then the exit."""
    async with clients(replica, 1) as (client,):
        await client.send("hold")
        await asyncio.to_thread(replica.said, "waits for SIGUSR1")
        replica.signal(signal.SIGTERM)
        await client.wait_closed()
        assert replica.popen.poll() is None
        replica.signal(signal.SIGUSR1)
        assert await asyncio.to_thread(replica.wait) == 0
    assert replica.lines.index("noted: goes on") < replica.lines.index(LEFT)


async def test_a_drain_waits_for_who_does_not_answer_the_close(replica):
    """Until that client is cut; its handler is told then."""
    with silent(replica, 3):
        replica.signal(signal.SIGTERM)
        assert await asyncio.to_thread(replica.wait) == 0
    assert replica.lines.count(LEFT) == 3


async def test_a_hasty_exit_tells_every_handler_too(replica):
    """A second signal waits for no client, but each handler has taken leave, busy or idle."""
    with silent(replica, 5) as (busy, *_):
        busy.sendall(frame(b"hold"))
        replica.said("waits for SIGUSR1")
        replica.signal(signal.SIGTERM)
        replica.said("draining")
        replica.signal(signal.SIGTERM)
        assert await asyncio.to_thread(replica.wait) == 0
    assert replica.lines.count(LEFT) == 5


def test_a_client_that_resets_is_taken_leave_of(scripted):
    """A connection that ends without a word, over TCP."""
    server = scripted.tcp("server", APPLICATION, "-p", "0")
    with server.connection() as connection:
        connection.sendall(UPGRADE)
        assert connection.recv(12) == b"HTTP/1.1 101"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.said(LEFT)
