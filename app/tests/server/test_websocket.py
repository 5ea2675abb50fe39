"""WebSockets of a real replica, whose application does what the test says."""

from functools import partial
from http import HTTPStatus

import pytest
from websockets.exceptions import InvalidStatus

from tests.server.sayings import ACCEPT, CLOSE, MIB, binary, closed, do, said, text

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


# -- TLS -----------------------------------------------------------------------------------------------------
