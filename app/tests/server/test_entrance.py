"""The first bytes of a connection, by the short way and by Twisted's: stock Daphne says what is right."""

import asyncio
import re
import struct

import pytest

from server.upgrade import upgrade_in
from tests.replicas import LIMIT
from tests.server.conftest import with_scripted

SILENCE = 4.0
"""Seconds without a byte after which a server that keeps the connection has said all it will say."""
AT_ONCE = 40
"""Connections at a time: stock Daphne listens with a backlog of 50."""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PLAIN = {
    "Host": "example.org:8000",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


def head(target="/", /, *more, start="GET {} HTTP/1.1", **values):
    """Return the head of an upgrade; a value of None leaves that header out, `more` are further lines."""
    headers = PLAIN | {name.replace("_", "-"): value for name, value in values.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([start.format(target), *lines, *more, "", ""]).encode("latin1")


def frame(opcode, payload, key=b"\x01\x02\x03\x04"):
    """Return a client's frame."""
    masked = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    return bytes((0x80 | opcode, 0x80 | len(payload))) + key + masked


CLOSE = frame(8, struct.pack("!H", 1000))
BROWSER = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Accept: */*",
    "Accept-Language: en-US,en;q=0.5", "Origin: https://example.org", "Sec-WebSocket-Extensions: permessage-deflate",
    "Cookie: sessionid=a; csrftoken=b", "Pragma: no-cache", "Cache-Control: no-cache",
    "X-Real-IP: 10.1.2.3", "X-Forwarded-Proto: https",
]  # fmt: skip
CHROME = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

SHORT = {
    "plain": head(),
    "a browser behind nginx": head("/ws/chat/?a=b&c=%20d", *BROWSER),
    "a browser without nginx": head("/", *BROWSER, CHROME.replace("Sec", "X-Sec"), Connection="keep-alive, Upgrade"),
    "chrome's extension": head("/", CHROME),
    "letters of any case": head("/", Upgrade="WebSocket", Connection="upgrade"),
    "names of any case": head("/").replace(b"Sec-WebSocket", b"sEC-websocket").replace(b"Host", b"HOST"),
    "a percent-encoded path": head("/a%20b/%C3%BC/%2F%00?x=%C3%BC"),
    "a path of odd characters": head("/~a.b_c-d!$&'()*+,=:@"),
    "an empty query": head("/?"),
    "a query of odd characters": head("/?a[]=1&b=\"'<>{}|\\^`;?/"),
    "one subprotocol": head("/", Sec_WebSocket_Protocol="fanout.v1"),
    "many subprotocols": head("/", Sec_WebSocket_Protocol="a, b,c"),
    "white space around values": head("/", "X-One:  a \t b\t ", "X-Two:c", "X-Three:", "X-Four: \t "),
    "no port in Host": head("/", Host="localhost"),
    "an Origin with a port": head("/", Origin="http://localhost:8080"),
    "many headers": head("/", *(f"X-{n}: {n}" for n in range(50))),
    "a long header": head("/", f"Cookie: {'x' * 7000}"),
    "a long path": head("/" + "x" * 7000),
    "an address that nginx names": head("/", "X-Real-IP: 10.9.8.7", "X-Forwarded-Proto: https"),
    "a list of addresses": head("/", "X-Real-IP: 10.9.8.7, 1.2.3.4"),
    "an empty address": head("/", "X-Real-IP:"),
    "a refusal": head("/refuse"),
    "a crash": head("/crash"),
    "a frame that comes before the answer": head("/late"),
}
"""Upgrades that take the short way."""

LONG = {
    "a header twice": head("/", "X-One: a", "X-Two: b", "X-One: c"),
    "cookies twice": head("/", "Cookie: a=b", "Cookie: c=d"),
    "an underscore in a name": head("/", "X_Real_IP: 6.6.6.6", "X-One: a"),
    "an odd name": head("/", "X.One!: a"),
    "a name that is none": head("/", "X One: a"),
    "white space before the colon": head("/", "X-One : a"),
    "a continuation line": head("/", "X-One: a", " b"),
    "a line without a colon": head("/", "nonsense"),
    "no name": head("/", ": a"),
    "Latin-1 in a value": head("/", "X-One: \xfc\xa0"),
    "a control character in a value": head("/", "X-One: a\x0bb"),
    "a bare carriage return in a value": head("/", "X-One: a\rb"),
    "a bare carriage return in a query": head("/x?a=\rb"),
    "a bare line feed in a value": head("/", "X-One: a\nb"),
    "a bare line feed in a query": head("/x?a=\nb"),
    "NUL in a value": head("/", "X-One: a\x00b"),
    "no Host": head("/", Host=None),
    "an empty Host": head("/", Host=""),
    "two Hosts": head("/", "Host: b"),
    "a Host with a bad port": head("/", Host="a:b"),
    "an IPv6 Host": head("/", Host="[::1]:80"),
    "no key": head("/", Sec_WebSocket_Key=None),
    "two keys": head("/", f"Sec-WebSocket-Key: {KEY}"),
    "a short key": head("/", Sec_WebSocket_Key="abc=="),
    "a key of bad characters": head("/", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25j!Q=="),
    "a key without its end": head("/", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQAA"),
    "no version": head("/", Sec_WebSocket_Version=None),
    "version 8": head("/", Sec_WebSocket_Version="8"),
    "version 12": head("/", Sec_WebSocket_Version="12"),
    "version x": head("/", Sec_WebSocket_Version="x"),
    "two versions": head("/", "Sec-WebSocket-Version: 8"),
    "no Connection": head("/", Connection=None),
    "Connection: close": head("/", Connection="close"),
    "Connection of many": head("/", Connection="Upgrade, HTTP2-Settings"),
    "Upgrade of many": head("/", Upgrade="websocket, h2c"),
    "Upgrade to h2c": head("/", Upgrade="h2c"),
    "no Upgrade": head("/", Upgrade=None),
    "Origin null": head("/", Origin="null"),
    "a file's Origin": head("/", Origin="file://"),
    "an Origin without a host": head("/", Origin="http:"),
    "an Origin that is none": head("/", Origin="nonsense"),
    "an Origin with a bad port": head("/", Origin="http://a:99999"),
    "two Origins": head("/", "Origin: http://b", Origin="http://a"),
    "a subprotocol twice": head("/", Sec_WebSocket_Protocol="a, a"),
    "an odd subprotocol": head("/", Sec_WebSocket_Protocol="a b"),
    "an empty subprotocol": head("/", Sec_WebSocket_Protocol=""),
    "an unknown extension": head("/", Sec_WebSocket_Extensions="x-webkit-deflate-frame"),
    "a bad extension": head("/", Sec_WebSocket_Extensions="permessage-deflate; nonsense=1"),
    "extensions twice": head("/", CHROME, CHROME),
    "a path with parameters": head("/a;b/c;d"),
    "a path that looks like a host": head("//evil.example/x"),
    "a fragment": head("/a#b"),
    "a path of other bytes": head("/\xfc"),
    "a query of other bytes": head("/?\xfc"),
    "a space in the target": head("/a b"),
    "no target": head(""),
    "an absolute target": head("http://example.org/a"),
    "a star": head("*"),
    "HTTP/1.0": head("/", start="GET {} HTTP/1.0"),
    "HTTP/2.0": head("/", start="GET {} HTTP/2.0"),
    "another method": head("/", start="POST {} HTTP/1.1"),
    "a method in small letters": head("/", start="get {} HTTP/1.1"),
    "an empty line first": b"\r\n" + head(),
    "bare line feeds": head().replace(b"\r\n", b"\n"),
    "a length of none": head("/", "Content-Length: 0"),
    "a bad length": head("/", "Content-Length: x"),
    "a chunked body of none": head("/", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "an expectation": head("/", "Expect: 100-continue"),
    "too many headers": head("/", *(f"X-{n}: {n}" for n in range(600))),
    "a rather long head": head("/", f"Cookie: {'x' * 9000}"),
    "too long a head": head("/", f"Cookie: {'x' * 20000}"),
    "too long a path": head("/" + "x" * 20000),
    "a request": b"GET /http?a=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}
"""What is left to Twisted and Daphne, with its bytes."""

CASES = SHORT | LONG
AFTER = {"a refusal", "a crash"}


@pytest.fixture(scope="module")
def servers(start_once):
    """Stock Daphne and ours, serving the same application and believing the same headers."""
    with_scripted(start_once)
    options = ["--proxy-headers", "--proxy-headers-host", "X-Real-IP", "--application-close-timeout", "1"]
    application = "telling:application"
    stock = start_once.python("daphne", "-u", "stock.sock", "--access-log", "/dev/null", *options, application)
    stock.path = start_once.folder / "stock.sock"
    stock.said("Configuring endpoint")
    return stock, start_once.replica(application, *options)


CONVERSATION = (
    (rb"HTTP/1.1 101[^\0]*\r\n\r\n", frame(1, b"hello") + frame(2, b"bytes")),
    (rb"'bytes': b'bytes'", CLOSE),
)
"""What the server must have said, and what a client says to that."""


async def answer(server, *parts, pause=0.0):
    """Send the parts, and if the connection is upgraded some frames; return all that the server says."""
    reader, writer = await connected(server)
    try:
        for number, part in enumerate(parts):
            if number:
                await asyncio.sleep(pause)  # so that it is read by itself
            writer.write(part)
        said, conversation = b"", list(CONVERSATION)
        async with asyncio.timeout(LIMIT):
            while piece := await piece_of(reader):
                said += piece
                if conversation and re.search(conversation[0][0], said):
                    writer.write(conversation.pop(0)[1])
        return said
    finally:
        writer.close()


async def connected(server):
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                return await asyncio.open_unix_connection(str(server.path))
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
                await asyncio.sleep(0.05)


async def piece_of(reader):
    try:
        async with asyncio.timeout(SILENCE):
            return await reader.read(65536)
    except (TimeoutError, ConnectionResetError):
        return b""


def comparable(said):
    """Return the answer without what may differ: who answered, and when."""
    return re.sub(rb"\r\n(?:X-Replica|Date): [^\r]*", b"", said)


async def all_answers(server, cases):
    """Return the answer to each case, some of them at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(parts, options):
        async with gate:
            return comparable(await answer(server, *parts, **options))

    return await asyncio.gather(*(one(parts, options) for parts, options in cases))


@pytest.fixture(scope="module")
def answers(servers):
    """What both say to all cases."""

    async def asked():
        cases = [((data,), {}) for data in CASES.values()]
        return await asyncio.gather(*(all_answers(server, cases) for server in servers))

    stock, ours = asyncio.run(asked())
    return dict(zip(CASES, zip(stock, ours, strict=True), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_ours_answers_as_stock_daphne_does(answers, case):
    """The same bytes in give the same bytes out: answer, scope, events, and the end."""
    stock, ours = answers[case]
    assert stock == ours


def test_the_cases_are_worth_comparing(answers):
    """Most upgrades succeed and tell their scope; a refusal is a 403, a crash a 500."""
    upgraded = [case for case in SHORT if answers[case][0].startswith(b"HTTP/1.1 101")]
    assert set(SHORT) - set(upgraded) == AFTER
    assert all(b"('headers', [" in answers[case][0] for case in upgraded)
    assert all(answers[case][0].endswith(b"'bytes': b'bytes'}\x88\x02\x03\xe8") for case in upgraded)
    assert answers["a refusal"][0].startswith(b"HTTP/1.1 403")
    assert answers["a crash"][0].startswith(b"HTTP/1.1 500")


@pytest.mark.parametrize("case", SHORT)
def test_a_plain_upgrade_takes_the_short_way(case):
    """It is recognised as a whole, with what lies behind it."""
    recognised = upgrade_in(SHORT[case] + b"rest")
    assert recognised is not None
    assert recognised[1] == b"rest"


@pytest.mark.parametrize("case", LONG)
def test_anything_else_does_not(case):
    """Not even in part."""
    assert upgrade_in(LONG[case]) is None


def test_a_part_of_an_upgrade_does_not():
    """Whatever its length: Twisted, which has a limit for the idle, waits for the rest."""
    data = SHORT["a browser behind nginx"]
    assert not any(upgrade_in(data[:end]) for end in range(len(data)))


async def test_a_request_in_two_parts_is_answered_as_in_one(servers):
    """Wherever it is split, with stock and with ours."""
    data = head("/a?b", "X-Real-IP: 10.9.8.7", Sec_WebSocket_Protocol="a")
    cases = [((data[:at], data[at:]), {"pause": 0.05}) for at in range(1, len(data), 3)]
    (whole,) = await all_answers(servers[0], [((data,), {})])
    assert whole.startswith(b"HTTP/1.1 101")
    assert set(await all_answers(servers[1], cases)) == {whole}


async def test_a_frame_that_comes_before_the_answer_waits_for_it(servers):
    """In a second packet, while the application still thinks: stock and ours hand it over when it has accepted."""
    cases = [((head("/late"), frame(1, b"early")), {"pause": 0.1})]
    for _ in range(5):  # stock forgets a frame that it reads together with the request, as when it was held up
        stock, ours = [(await all_answers(server, cases))[0] for server in servers]
        assert b"early" in ours
        if b"early" in stock:
            break
    assert stock == ours


async def test_a_frame_in_the_packet_of_the_request_is_not_lost(servers):
    """RFC 6455 has clients wait; stock forgets the frames of one that does not, ours serves them in order."""
    (said,) = await all_answers(servers[1], [((head() + frame(1, b"eager"),), {})])
    assert said.index(b"eager") < said.index(b"hello")


async def test_over_tcp_the_addresses_are_the_sockets(start_once, servers):
    """Client and server with their ports, as stock says them."""
    made = [start_once.tcp(*command, "-p", "0", "telling:application") for command in (["daphne"], ["server"])]
    for server in made:
        async with server.websocket("/", subprotocols=["x"]) as client:
            scope = await client.recv()
            port = client.local_address[1]
            assert f"('client', ['127.0.0.1', {port}]), " in scope
            assert f"('server', ['127.0.0.1', {server.port}]), " in scope


async def test_http_goes_on_over_the_same_connection(servers):
    """Requests that are kept alive or pipelined, and an upgrade behind them."""
    request = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
    cases = [((request + request,), {}), ((request, request), {"pause": 0.1})]
    stock, ours = [await all_answers(server, cases) for server in servers]
    assert stock[0].count(b"HTTP/1.1 200") == 2
    assert ours == stock
