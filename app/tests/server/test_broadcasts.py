"""The extension fanout.socket: broadcasts, slow readers and those who never read, over TLS too."""

import asyncio
import contextlib
import socket

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.frames import Opcode

from tests import certificates
from tests.replicas import LIMIT
from tests.server.sayings import KIB, MIB, SlowReader, do, number_of, said

ROOMY = 64 * MIB


async def test_a_broadcast_reaches_every_socket(server):
    """The same payload, once each, text."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(server.websocket("/hub")) for _ in range(5)]
        await do(clients[0], "until", 5)
        await said(clients[0], 1)
        await do(clients[0], "broadcast", 50, 100, ROOMY)
        for client in clients:
            assert [number_of(message.encode()) for message in await said(client, 50)] == list(range(50))


async def test_payloads_that_are_broadcast_together_arrive_one_by_one(server):
    """One write, but a frame for each."""
    async with server.websocket("/hub") as client:
        await do(client, "together", 50, 1000, ROOMY)
        assert [number_of(message.encode()) for message in await said(client, 50)] == list(range(50))


@pytest.mark.parametrize("size", [10, 125, 126, 1000, 65535, 65536, 100_000])
async def test_broadcasts_and_sends_arrive_in_order(server, size):
    """Three ways to write, one order, whole frames: to a client that keeps up."""
    async with server.websocket("/hub") as client:
        await do(client, "mixed", 60, size, ROOMY)
        messages = await said(client, 60)
    assert [number_of(message.encode()) for message in messages] == list(range(60))
    assert {len(message) for message in messages} == {size}


def test_a_slow_reader_gets_every_byte_in_order(slow):
    """What overflows the kernel's buffer waits in Twisted's, and nothing overtakes it."""
    reader, size, count = slow(), 50_000, 300
    reader.do("mixed", count, size, ROOMY)
    for expected, frame in zip(range(count), reader.frames(chunk=7_777), strict=False):
        assert (frame.opcode, number_of(frame.data), len(frame.data)) == (Opcode.TEXT, expected, size)
        if expected == 100:  # once more while there is still a queue
            reader.do("mixed", 3, 10, ROOMY)
    rest = [number_of(next(reader.frames()).data) for _ in range(3)]
    assert rest == [0, 1, 2]


def test_who_is_over_the_limit_is_closed_behind_what_was_queued(slow):
    """Frames without a gap, then 4008 with the reason; a burst that no reader could take in time."""
    reader, size = slow(), 64 * KIB
    reader.do("patience", LIMIT)  # the server would give it one second to take the rest
    reader.do("broadcast", 200, size, MIB)
    *frames, close = reader.frames()
    assert [number_of(frame.data) for frame in frames] == list(range(len(frames)))
    assert MIB // size - 1 <= len(frames) < 200
    assert close.opcode is Opcode.CLOSE
    assert int.from_bytes(close.data[:2], "big") == 4008
    assert b"slower" in close.data


async def test_a_client_that_never_reads_costs_no_more_than_its_limit(server, slow):
    """It is cut off while others get everything, and the process does not grow with what it was not told."""
    await cut_off_who_never_reads(server, slow(), server.websocket("/hub"))


async def cut_off_who_never_reads(server, _stuck, healthy):
    rounds, batch, size = 64, 16, 64 * KIB
    process = psutil.Process(server.pid)
    async with healthy as reader:
        await do(reader, "until", 2)
        await said(reader, 1)
        before = process.memory_info().rss
        for _ in range(rounds):  # 64 MiB
            await do(reader, "broadcast", batch, size, 2 * MIB)
            assert [number_of(message.encode()) for message in await said(reader, batch)] == list(range(batch))
        grown = process.memory_info().rss - before
        await do(reader, "until", 1)  # the other one is gone
        assert await said(reader, 1) == ["done"]
    assert grown < 20 * MIB


async def test_who_says_goodbye_and_does_not_read_is_cut(server, slow):
    """The answer to its close frame waits behind what it was sent: not for ever."""
    async with server.websocket("/hub") as other:
        reader = slow()
        reader.do("broadcast", 15, 64 * KIB, 2 * MIB)
        await said(other, 15)
        reader.protocol.send_close(1000)
        reader.flush()
        await do(other, "until", 1)
        assert await said(other, 1) == ["done"]
    assert len(list(reader.frames())) < 15


WAYS = {"lean": (), "Daphne's": (("X-Twice", "1"), ("X-Twice", "2"))}
"""Headers of an upgrade that takes the short way, and of one that does not."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", ["stream", "stream aside"])
async def test_what_an_application_sends_to_a_client_that_never_reads_is_bounded(server, slow, way, verb):
    """ASGI's own `websocket.send`: 4008 for this client, no wait for another, and the process does not grow."""
    process = psutil.Process(server.pid)
    async with server.websocket("/hub") as healthy:
        stuck = slow(WAYS[way])
        before = process.memory_info().rss
        stuck.do("patience", LIMIT)
        stuck.do(verb, 2000, 64 * KIB)  # 125 MiB
        await do(healthy, "stream", 1000, 64 * KIB)
        for number in range(1000):
            assert number_of((await said(healthy, 1))[0].encode()) == number
        await asyncio.to_thread(server.said, "noted: streamed")
        await asyncio.to_thread(server.said, "noted: streamed")
        assert process.memory_info().rss - before < 20 * MIB
    *frames, close = stuck.frames()
    assert [number_of(frame.data) for frame in frames] == list(range(len(frames)))
    assert (close.opcode, int.from_bytes(close.data[:2], "big")) == (Opcode.CLOSE, 4008)


@pytest.mark.parametrize("verb", ["stream", "stream aside"])
def test_a_client_that_goes_while_a_send_waits_is_no_error(server, slow, verb):
    """Of the application, which learns of it by its next event: what it sends until then is dropped."""
    errors = server.log.count("Exception inside application")
    stuck = slow()
    stuck.do(verb, 2000, KIB)
    next(stuck.frames())
    stuck.socket.close()
    server.said("noted: streamed")
    server.said("noted: left")
    assert server.log.count("Exception inside application") == errors


async def test_who_reads_slowly_gets_all_that_an_application_sends(server, slow):
    """Its `send` waits meanwhile; half of what may wait has to be read in five seconds, and no more."""
    reader = slow()
    reader.do("stream", 200, 64 * KIB)
    for expected, frame in zip(range(200), reader.frames(chunk=16 * KIB), strict=False):
        assert number_of(frame.data) == expected
        if expected in (20, 100):
            await asyncio.sleep(1)


@pytest.fixture(scope="module")
def secure(start_once, server):
    """A replica of the same kind behind TLS, and the context that trusts its certificate."""
    certificate, key = certificates.write(start_once.folder)
    endpoint = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    made = start_once.tcp("server", "scripted:application", "--name", "tls-1", "-e", endpoint)
    made.context = certificates.trusting(certificate)
    made.url = f"wss://127.0.0.1:{made.port}/hub"
    return made


def over_tls(secure):
    return connect(secure.url, ssl=secure.context, compression=None, max_size=None)


@pytest.mark.parametrize("size", [10, 1000, 100_000])
async def test_over_tls_all_ways_to_write_arrive_in_order(secure, size):
    """Nothing is written around the encryption: one plain byte would end the connection."""
    async with over_tls(secure) as client:
        assert client.response.headers["X-Replica"] == "tls-1"
        await do(client, "mixed", 60, size, ROOMY)
        assert [number_of(message.encode()) for message in await said(client, 60)] == list(range(60))


async def test_over_tls_a_client_that_never_reads_costs_no_more_than_its_limit(secure):
    """The limit counts what waits below the encryption."""
    raw = socket.create_connection(("127.0.0.1", secure.port), timeout=LIMIT)
    with secure.context.wrap_socket(raw, server_hostname="127.0.0.1") as connection:
        await cut_off_who_never_reads(secure, SlowReader(connection), over_tls(secure))
