"""WebSockets of a real replica, whose application does what the test says."""

import asyncio
import contextlib
import socket
from collections import deque
from functools import partial
from http import HTTPStatus

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode
from websockets.uri import parse_uri

from tests import certificates
from tests.replicas import LIMIT

ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close"}
KIB, MIB = 1 << 10, 1 << 20
ROOMY = 64 * MIB


def text(content):
    return {"type": "websocket.send", "text": content}


def binary(content):
    return {"type": "websocket.send", "bytes": content}


def number_of(payload):
    """Return the number that the hub's payload begins with."""
    return int(bytes(payload[:12]).partition(b":")[0])


async def closed(client):
    """Wait for the close; return code and reason."""
    async with asyncio.timeout(LIMIT):
        await client.wait_closed()
    return client.close_code, client.close_reason


async def said(client, count):
    async with asyncio.timeout(LIMIT):
        return [await client.recv() for _ in range(count)]


async def do(client, *command):
    """Have the hub carry out a command."""
    await client.send(repr(command))


class SlowReader:
    """A client that reads only when it is told to: a blocking socket and a parser."""

    def __init__(self, connection, headers=()):
        self.socket = connection
        self.protocol = ClientProtocol(parse_uri("ws://localhost/hub"), max_size=None)
        request = self.protocol.connect()
        request.headers.update(headers)
        self.protocol.send_request(request)
        self.flush()
        while self.protocol.state is not self.protocol.state.OPEN:
            self.protocol.receive_data(self.socket.recv(1))
        self.protocol.events_received()
        self.read = deque()

    def flush(self):
        for data in self.protocol.data_to_send():
            self.socket.sendall(data)

    def do(self, *command):
        self.protocol.send_text(repr(command).encode())
        self.flush()

    def frames(self, chunk=64 * KIB):
        """Yield the frames to the end of the connection; what is not asked for is not read."""
        while True:
            while self.read:
                yield self.read.popleft()
            try:
                data = self.socket.recv(chunk)
            except ConnectionResetError:
                return
            if not data:
                return
            self.last_bytes = data
            self.protocol.receive_data(data)
            self.read.extend(self.protocol.events_received())
            with contextlib.suppress(OSError):
                self.flush()  # the answer to a close frame


@pytest.fixture
def slow(server):
    """Open sockets whose client reads only when told to."""
    with contextlib.ExitStack() as stack:
        yield lambda headers=(): SlowReader(stack.enter_context(server.connection()), headers)


# -- closing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 3000, 4400, 4999])
async def test_a_close_code_and_its_reason_arrive(server, script, code):
    """Also those that autobahn's own sendClose refuses."""
    async with server.websocket(script(ACCEPT, {**CLOSE, "code": code, "reason": f"because {code}"})) as client:
        assert await closed(client) == (code, f"because {code}")


@pytest.mark.parametrize("message", [CLOSE, {**CLOSE, "code": None, "reason": None}])
async def test_a_close_without_a_code_is_a_normal_one(server, script, message):
    """1000 and no reason, as ASGI says."""
    async with server.websocket(script(ACCEPT, message)) as client:
        assert await closed(client) == (1000, "")


@pytest.mark.parametrize("reason", ["x" * 123, "x" * 200, "ü" * 100, "x" + "ü" * 100, "😀" * 40, "xy" + "😀" * 40])
async def test_a_long_reason_is_cut_at_a_character(server, script, reason):
    """123 bytes of UTF-8 at most, and the longest prefix that fits."""
    async with server.websocket(script(ACCEPT, {**CLOSE, "code": 4400, "reason": reason})) as client:
        code, cut = await closed(client)
    assert (code, reason.startswith(cut)) == (4400, True)
    assert len(cut.encode()) <= 123
    assert cut == reason or len(reason[: len(cut) + 1].encode()) > 123


@pytest.mark.parametrize("code", [1005, 1006, 1015, 999, 5000, 70000])
async def test_a_code_that_must_not_be_sent_becomes_an_internal_error(server, script, code):
    """The client's library would call it a broken protocol."""
    async with server.websocket(script(ACCEPT, {**CLOSE, "code": code, "reason": "why"})) as client:
        assert await closed(client) == (1011, "why")


async def test_a_clients_close_reaches_the_application(server, script):
    """The disconnect event carries the client's code."""
    async with server.websocket(script(ACCEPT, path="/client-closes")) as client:
        await client.close(4123, "bye")
    server.said("noted: disconnect 4123")


def test_after_the_application_closed_nothing_follows(server, slow):
    """Whichever way it is sent: the close frame is the last one, and nobody crashes."""
    reader = slow()
    reader.do("close")
    assert [frame.data for frame in reader.frames()] == [b"early", (1000).to_bytes(2, "big")]
    assert reader.last_bytes.endswith(b"\x88\x02\x03\xe8")
    server.said("noted: sent late")


# -- sending -------------------------------------------------------------------------------------------


async def test_empty_messages_are_sent(server, script):
    """An empty text and an empty binary message are messages, each of its kind, in their places."""
    async with server.websocket(script(ACCEPT, text("a"), text(""), binary(b""), binary(b"b"))) as client:
        assert await said(client, 4) == ["a", "", b"", b"b"]


async def test_a_message_may_name_both_kinds_if_one_is_none(server, script):
    """None means absent, as ASGI says."""
    messages = [{**text("a"), "bytes": None}, {**binary(b"b"), "text": None}]
    async with server.websocket(script(ACCEPT, *messages)) as client:
        assert await said(client, 2) == ["a", b"b"]


@pytest.mark.parametrize("message", [{**text("a"), "bytes": b"b"}, {"type": "websocket.send"}])
async def test_a_message_of_both_kinds_or_none_is_an_error(server, script, message):
    """The application is told by an exception, the client by 1011."""
    async with server.websocket(script(ACCEPT, message)) as client:
        assert (await closed(client))[0] == 1011
    server.said("ValueError: websocket.send needs either text or bytes, and not both")
    async with server.websocket(script(ACCEPT)):
        pass


@pytest.mark.parametrize("content", ["", "ü😀" * 5000, "x" * (MIB - 1)])
async def test_what_the_client_says_comes_back(server, script, content):
    """Text as text, binary as binary, up to a megabyte."""
    async with server.websocket(script(ACCEPT)) as client:
        await client.send(content)
        await client.send(content.encode())
        assert await said(client, 2) == [content, content.encode()]


# -- the handshake ---------------------------------------------------------------------------------------


async def test_accept_headers_and_subprotocol_pass(server, script):
    """Every header, a repeated one in its order, and the chosen subprotocol."""
    headers = [(b"x-one", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    message = {**ACCEPT, "headers": headers, "subprotocol": "two"}
    async with server.websocket(script(message), subprotocols=["one", "two"]) as client:
        assert client.response.headers["X-One"] == "1"
        assert client.response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
        assert client.subprotocol == "two"


async def test_no_subprotocol_is_chosen_unasked(server, script):
    """The application's None is the answer."""
    async with server.websocket(script(ACCEPT), subprotocols=["one"]) as client:
        assert client.subprotocol is None


async def test_accepting_a_subprotocol_that_was_not_offered_is_an_error_of_the_application(server, script):
    """Its exception says so, and the client, which would take it for a broken protocol, gets a 500."""
    assert (await refused(server, script({**ACCEPT, "subprotocol": "two"}))).status_code == 500
    server.said("ValueError: The subprotocol 'two' was not offered")


async def refused(server, path):
    """Return the answer to a refused handshake."""
    with pytest.raises(InvalidStatus) as caught:
        await server.websocket(path)
    return caught.value.response


async def test_a_close_before_the_accept_refuses_with_403(server, script):
    """As ASGI says; the code and reason have no place there."""
    assert (await refused(server, script({**CLOSE, "code": 4400, "reason": "no"}))).status_code == 403


@pytest.mark.parametrize("status", [404, 401, 503, 299])
async def test_a_refusal_with_a_response_passes(server, script, status):
    """Status, headers and body are the application's (ASGI websocket.http.response)."""
    start = {"type": "websocket.http.response.start", "status": status, "headers": [(b"x-why", b"not today")]}
    body = {"type": "websocket.http.response.body", "body": "Nö.".encode()}
    response = await refused(server, script(start, body))
    assert (response.status_code, response.headers["X-Why"], response.body.decode()) == (status, "not today", "Nö.")
    assert response.headers["X-Replica"] == "web-1"
    assert response.reason_phrase == next((known.phrase for known in HTTPStatus if known == status), "")


async def test_a_refusals_body_may_come_in_parts(server, script):
    """`more_body` means that more comes; the length is that of the whole."""
    start = {"type": "websocket.http.response.start", "status": 404, "headers": []}
    parts = [(b"one ", True), (b"two ", True), (b"three", False)]
    body = [{"type": "websocket.http.response.body", "body": body, "more_body": more} for body, more in parts]
    response = await refused(server, script(start, *body))
    assert (response.body, response.headers["Content-Length"]) == (b"one two three", "13")


async def test_a_refusal_that_says_its_own_length_says_it_once(server, script):
    """A doubled Content-Length is an error to some clients."""
    headers = [(b"Content-Length", b"2"), (b"connection", b"close")]
    start = {"type": "websocket.http.response.start", "status": 404, "headers": headers}
    response = await refused(server, script(start, {"type": "websocket.http.response.body", "body": b"no"}))
    assert response.headers.get_all("Content-Length") == ["2"]
    assert response.headers.get_all("Connection") == ["close"]


@pytest.mark.parametrize("header", ["Sec-WebSocket-Key", "Origin"])
def test_a_long_value_is_not_quoted_in_the_refusal(server, header):
    """The answer stays short, however long the value: to nginx a long head is a dead replica."""
    values = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", header: "\xe9" * 6000}
    lines = "".join(f"{name}: {value}\r\n" for name, value in values.items())
    with server.connection() as connection:
        connection.sendall(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\n{lines}\r\n".encode("latin1")
        )
        said = b"".join(iter(partial(connection.recv, 65536), b""))
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert len(said) < 200


async def test_sending_before_the_accept_is_an_error_of_the_application(server, script):
    """The handshake fails with 500, the application gets an exception, the replica goes on."""
    assert (await refused(server, script(text("early")))).status_code == 500
    server.said("ValueError: Socket has not been accepted")
    async with server.websocket(script(ACCEPT)):
        pass


async def test_refused_and_finished_connections_are_forgotten(server, script):
    """The count of open sockets goes back to what it was."""
    await refused(server, script(CLOSE))
    async with server.websocket("/hub") as client:
        await do(client, "until", 1)
        assert await said(client, 1) == ["done"]


# -- the extension fanout.socket ----------------------------------------------------------------------------


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
            await asyncio.sleep(2)


# -- TLS -----------------------------------------------------------------------------------------------------


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
