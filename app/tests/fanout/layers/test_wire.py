"""The one connection to Redis, over TLS too; an echo stands for Redis."""

import asyncio
import ssl

import hiredis
import pytest
from redis.asyncio.connection import ConnectionPool, SSLConnection

from fanout.layers.wire import READ_BYTES, Wire, pack
from tests import certificates

LIMIT = 5


async def echo(reader, writer):
    """Answer each command with itself."""
    parser = hiredis.Reader()
    while data := await reader.read(1 << 20):
        parser.feed(data)
        for command in iter(parser.gets, False):
            writer.write(hiredis.pack_command(tuple(command)))
    writer.close()


@pytest.fixture
async def pool(tmp_path):
    """A pool of redis-py whose one connection is made over TLS."""
    certificate, key = certificates.write(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context) as server:
        where = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1]}
        trust = {"ssl_ca_certs": str(certificate), "protocol": 2, "driver_info": None}
        pool = ConnectionPool(connection_class=SSLConnection, max_connections=1, **where, **trust)
        yield pool
        await pool.disconnect()


async def test_answers_of_any_size_arrive_over_tls(pool):
    """Small answers and one of many reads arrive whole and in order; the place in the pool is given back."""
    answers, lost = asyncio.Queue(), []
    wire = Wire(pool, answers.put_nowait, lost.append)
    await wire.open()
    texts = [b"a", b"x" * (5 * READ_BYTES + 1), b"b"]
    wire.send(b"".join(pack("ECHO", text) for text in texts))
    async with asyncio.timeout(LIMIT):
        assert [await answers.get() for _ in texts] == [[b"ECHO", text] for text in texts]
    await wire.aclose()
    assert not lost
    again = Wire(pool, answers.put_nowait, lost.append)
    async with asyncio.timeout(LIMIT):
        await again.open()
    await again.aclose()


async def test_nothing_is_handed_on_behind_an_error(pool):
    """When `on_answer` raises, the connection is cut, `on_lost` has the error once, and no further answer comes."""
    answers, lost = [], asyncio.Queue()

    def refuse(answer):
        answers.append(answer)
        raise ValueError("not this one")

    wire = Wire(pool, refuse, lost.put_nowait)
    await wire.open()
    wire.send(pack("A") + pack("B"))
    async with asyncio.timeout(LIMIT):
        assert str(await lost.get()) == "not this one"
    assert wire.stale
    await wire.aclose()
    assert answers == [[b"A"]]
    assert lost.empty()
