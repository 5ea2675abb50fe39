"""Frames by the hundred thousand: nobody else waits long, and what is parsed at a time is bounded."""

import asyncio
import signal

import pytest
from websockets.asyncio.client import connect

from tests import certificates
from tests.replicas import LIMIT

APPLICATION = "scripted:application"
TURN_MS = 15
"""Processor time of one turn of the loop: a slice takes 2 to 5 ms, 8 KiB of tiny frames 40, 1 MiB of them minutes."""
FRAMES = 1024 * 1024 // 6
UPGRADE = (
    b"GET /early HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%b\r\n"
)
WAYS = {"lean": b"", "Daphne's": b"X-Twice: 1\r\nX-Twice: 2\r\n"}
EMPTY = {"messages": b"\x81\x80\0\0\0\0", "pings": b"\x89\x80\0\0\0\0", "pongs": b"\x8a\x80\0\0\0\0"}
BEGINNING, FRAGMENT, LAST = b"\x01\x80\0\0\0\0", b"\x00\x80\0\0\0\0", b"\x81\x84\0\0\0\0last"
FRAGMENTS_LIMIT = 1 << 17


@pytest.fixture
def replica(scripted):
    return scripted.replica(APPLICATION)


@pytest.fixture
def asked(replica):
    """A connection that has asked for `/early`, which is answered when somebody is in the room."""

    def ask(way):
        connection = replica.connection()
        connection.sendall(UPGRADE % WAYS[way])
        replica.said("noted: asked")
        return connection

    return ask


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", EMPTY)
@pytest.mark.parametrize("when", ["before the answer", "after it"])
@pytest.mark.slow
async def test_many_tiny_frames_hold_nobody_up(replica, asked, way, kind, when):
    """Whether they come before the handshake is answered or after it, a turn of the loop stays short."""
    async with asyncio.timeout(LIMIT), replica.websocket("/watch"):
        await asyncio.to_thread(replica.said, "noted: watches")
        with asked(way) as connection:
            flood = EMPTY[kind] * FRAMES + LAST
            count = 1024 * 1024 if when == "before the answer" else 0
            await asyncio.to_thread(connection.sendall, flood[:count])
            async with replica.websocket("/hub"):
                await asyncio.to_thread(connection.sendall, flood[count:])
                waiting = await asyncio.to_thread(replica.said, r"noted: waiting (\d+)")
                await asyncio.to_thread(replica.said, "noted: had the last")
        replica.signal(signal.SIGUSR1)
        longest = await asyncio.to_thread(replica.said, r"noted: longest turn (\d+) ms")
    assert int(longest[1]) <= TURN_MS
    assert int(waiting[1]) <= 64


@pytest.mark.parametrize("kind", ["unix", "tls"])
async def test_what_is_parsed_in_slices_arrives_in_order(scripted, script, kind):
    """Small messages by the thousand with a big one among them, also where TLS hands over more than one read."""
    path = script({"type": "websocket.accept"})
    opened = scripted.replica(APPLICATION).websocket(path) if kind == "unix" else over_tls(scripted, path)
    messages = [str(number) for number in range(5000)]
    messages.insert(2500, "x" * 500_000)
    async with asyncio.timeout(LIMIT), opened as client:
        sending = asyncio.create_task(send_all(client, messages))
        assert [await client.recv() for _ in messages] == messages
        await sending


def over_tls(scripted, path):
    certificate, key = certificates.write(scripted.folder)
    endpoint = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    server = scripted.tcp("server", APPLICATION, "-e", endpoint)
    return connect(f"wss://127.0.0.1:{server.port}{path}", ssl=certificates.trusting(certificate), compression=None)


async def send_all(client, messages):
    for message in messages:
        await client.send(message)


async def test_a_message_of_endless_fragments_is_ended(replica, asked):
    """Empty ones, which no limit in bytes would end: 1009 with the reason."""
    async with replica.websocket("/hub"):
        with asked("lean") as connection:
            await asyncio.to_thread(connection.sendall, BEGINNING + FRAGMENT * FRAGMENTS_LIMIT)
            said = await asyncio.to_thread(lambda: b"".join(iter(lambda: connection.recv(65536), b"")))
    reason = b"A message has at most %d frames." % FRAGMENTS_LIMIT
    assert said.endswith(b"\x88" + bytes((2 + len(reason),)) + (1009).to_bytes(2, "big") + reason)


async def test_a_message_of_many_fragments_arrives(replica, asked):
    """As many as a message may have."""
    async with replica.websocket("/hub"):
        with asked("lean") as connection:
            fragments = b"\x01\x84\0\0\0\0last" + FRAGMENT * (FRAGMENTS_LIMIT - 2) + b"\x80\x80\0\0\0\0"
            await asyncio.to_thread(connection.sendall, fragments)
            await asyncio.to_thread(replica.said, "noted: had the last")
