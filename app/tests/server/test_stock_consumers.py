"""Channels' own consumers and middleware, unchanged, on stock Daphne and on ours."""

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.misbehaving import everything
from tests.replicas import LIMIT
from tests.server.conftest import with_scripted

ORIGIN = {"origin": "http://localhost", "additional_headers": {"Cookie": "a=b; sessionid=nonsense"}}


@pytest.fixture(scope="module", params=["daphne", "server"])
def consumers(request, start_once):
    """A server of the consumers: stock Daphne, then ours."""
    server = with_scripted(start_once).tcp(request.param, "-p", "0", "stock_consumers:application")
    server.is_ours = request.param == "server"
    return server


def connected(consumers, path, **options):
    return consumers.websocket(path, **ORIGIN, **options)


async def test_a_synchronous_consumer_serves_its_group(consumers):
    """Session, user, route, group_send, the database from a thread, and its own close code."""
    async with asyncio.timeout(LIMIT), connected(consumers, "/sync/r/") as one, connected(consumers, "/sync/r/") as two:
        route = {"args": (), "kwargs": {"room": "r"}}
        for client in (one, two):
            assert await client.recv() == f"AnonymousUser {{}} {route} {{'a': 'b', 'sessionid': 'nonsense'}}"
        await one.send("hi")
        assert [await one.recv(), await two.recv()] == ["hi 42", "hi 42"]
        await one.send("close")
        await one.wait_closed()
        assert one.close_code == 4001
        await two.send("still")
        assert await two.recv() == "still 42"


UPGRADE = (
    b"GET /sync/slow/ HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def test_a_member_of_a_group_that_never_reads_holds_nobody_up(consumers):
    """Synchronous consumers share one thread: the others hear at once, and ours ends the slow one's connection."""
    with consumers.connection() as stuck:
        stuck.sendall(UPGRADE)
        assert stuck.recv(12) == b"HTTP/1.1 101"
        async with asyncio.timeout(LIMIT), connected(consumers, "/sync/r/") as client:
            await client.recv()
            for number in range(300):  # 18 MB
                await client.send(f"{number} {'x' * 60_000}")
                assert (await client.recv()).startswith(f"{number} ")
        assert not consumers.is_ours or len(everything(stuck)) < 12 << 20  # half of it in the kernel


async def test_an_asynchronous_consumer_reads_its_database(consumers):
    """A subprotocol, a binary answer from a thread, and a close behind the last message."""
    async with asyncio.timeout(LIMIT), connected(consumers, "/async/", subprotocols=["x", "y"]) as client:
        assert client.subprotocol == "x"
        await client.recv()
        await client.send("go")
        assert await client.recv() == b"(42,)"
        await client.send("close")
        assert await client.recv() == b"(42,)"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1000


async def test_an_error_in_a_consumer_closes_with_1011(consumers):
    """And is in the log."""
    async with asyncio.timeout(LIMIT), connected(consumers, "/async/") as client:
        await client.recv()
        await client.send("raise")
        await client.wait_closed()
        assert client.close_code == 1011
    consumers.said("ValueError: it breaks")


async def test_a_json_consumer_answers_in_json(consumers):
    """In order, a hundred at once."""
    async with asyncio.timeout(LIMIT), connected(consumers, "/json/") as client:
        for number in range(100):
            await client.send(json.dumps({"number": number}))
        assert [json.loads(await client.recv()) for _ in range(100)] == [{"got": {"number": n}} for n in range(100)]


@pytest.mark.parametrize(
    ("path", "origin"), [("/deny/", "http://localhost"), ("/async/", "http://evil.example"), ("/async/", None)]
)
async def test_who_is_refused_gets_403(consumers, path, origin):
    """By the consumer's close, or by the origin validator."""
    with pytest.raises(InvalidStatus) as refused:
        await consumers.websocket(path, origin=origin)
    assert refused.value.response.status_code == 403
