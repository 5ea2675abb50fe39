"""What goes over the lean transports besides frames, which test_websocket has."""

import asyncio

import pytest

from tests.replicas import LIMIT
from tests.server.telling import PART, PARTS

APPLICATION = "telling:application"


@pytest.fixture(params=["unix", "tcp"])
def server(request, scripted):
    if request.param == "unix":
        return scripted.replica(APPLICATION)
    return scripted.tcp("server", "-p", "0", APPLICATION)


def test_a_big_answer_arrives_whole_however_slowly_it_is_read(server):
    """In order: what the kernel does not take at once waits, and nothing overtakes it."""
    with server.http() as connection:
        connection.request("GET", "/big")
        answer = connection.getresponse()
        read = b"".join(iter(lambda: answer.read(33_333), b""))
    assert len(read) == PARTS * PART
    assert all(read[n * PART : (n + 1) * PART] == n.to_bytes(2, "big") * (PART // 2) for n in range(PARTS))


def test_who_goes_in_the_middle_of_a_big_answer_harms_nobody(server):
    """The next request is answered, and nothing breaks."""
    for _ in range(3):
        with server.http() as connection:
            connection.request("GET", "/big")
            assert connection.getresponse().read(1000)
    assert server.get()[0] == 200
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_a_producer_that_waits_to_be_asked_is_asked_to_the_end(scripted, kind):
    """Twisted asks a pull producer when what it wrote has left, also if that left at once."""
    place, file = scripted.folder / "pulling.sock" if kind == "unix" else "tcp", scripted.folder / "file"
    file.write_bytes(content := bytes(number % 251 for number in range(1_000_003)))
    server = scripted.python("pulling", place, file)
    said = server.said(r"listens on (\S+)")[1]
    server.path, server.port = (place, None) if kind == "unix" else (None, int(said))
    with server.connection() as connection:
        read = b"".join(iter(lambda: connection.recv(65536), b""))
    assert read == content


async def test_small_writes_leave_at_once(scripted):
    """Over TCP, Nagle's algorithm is off for WebSockets too."""
    server = scripted.tcp("server", "-p", "0", APPLICATION)
    async with asyncio.timeout(LIMIT), server.websocket("/nodelay") as client:
        await client.recv()
        assert await client.recv() == "True"
