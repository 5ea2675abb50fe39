"""Which pages may open a socket."""

import pytest

from fanout import origin
from fanout.origin import OriginCheck, OriginRule, is_allowed


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "example.org", True),
        ("https://example.org", "example.org", True),
        ("http://example.org", "example.org:80", True),
        ("https://example.org:443", "example.org", True),
        ("http://localhost:8000", "localhost:8000", True),
        ("http://127.0.0.1:8000", "localhost:8000", True),
        ("http://[::1]:8000", "127.0.0.1:8000", True),
        ("http://EXAMPLE.org", "example.ORG", True),
        ("https://trusted.example", "example.org", True),
        ("https://sub.trusted.example", "example.org", False),
        ("http://trusted.example", "example.org", False),
        ("https://evil.example", "example.org", False),
        ("https://example.org.evil.example", "example.org", False),
        ("https://example.org@evil.example", "example.org", False),
        ("http://localhost:8000", "localhost:8080", False),
        ("http://localhost:8000", "example.org:8000", False),
        ("http://example.org:8000", "localhost:8000", False),
        ("null", "example.org", False),
        ("", "example.org", False),
        ("file://", "example.org", False),
        ("chrome-extension://abc", "abc", False),
        ("http://[", "example.org", False),
        ("https://example.org", "", False),
    ],
)
def test_a_page_may_connect_to_its_own_host_only(origin, host, allowed):
    """The page's host and port must be the socket's, or the exact origin be trusted; no origin means no browser."""
    assert is_allowed(origin, host, ["https://trusted.example"]) is allowed


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://example.org", "example.org", True),
        ("https://localhost:8443", "127.0.0.1:8443", True),
        ("http://trusted.example", "example.org", True),
        (None, "example.org", True),
        ("http://example.org", "example.org", False),
        ("HTTP://example.org", "example.org", False),
        ("http://example.org:8443", "example.org:8443", False),
        ("http://example.org:443", "example.org", False),
        ("http://localhost:8443", "localhost:8443", False),
    ],
)
def test_what_came_by_tls_is_for_pages_that_came_by_tls(origin, host, allowed):
    """Who listens on the way can put a page of his own under the same name; one that is listed counts as it is."""
    assert is_allowed(origin, host, ["http://trusted.example"], secure=True) is allowed


@pytest.mark.parametrize(
    ("scheme", "proto", "is_secure"),
    [
        (None, b"https", True), (None, b"https, http", True), ("wss", b"", True), ("https", b"http", True),
        (None, b"http", False), (None, b"http, https", False), ("ws", b"", False), ("http", b"", False),
    ],
)  # fmt: skip
def test_the_scheme_is_what_the_server_or_its_proxy_says(settings, scheme, proto, is_secure):
    """As Django sees it, by SECURE_PROXY_SSL_HEADER; where nobody is to be heard only the server itself."""
    scope = {"scheme": scheme} if scheme else {}
    headers = {b"host": b"example.org", b"origin": b"http://example.org", b"x-forwarded-proto": proto}
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert OriginRule(["example.org"]).allows(scope, headers) is not is_secure
    settings.SECURE_PROXY_SSL_HEADER = None
    assert OriginRule(["example.org"]).allows(scope, headers) is (scheme not in ("wss", "https"))


@pytest.mark.parametrize(
    ("origin", "without", "sentence"),
    [
        (b"https://evil.example", True, origin.NOT_YOURS),
        (b"null", True, origin.NOT_YOURS),
        (None, False, origin.NAME_ONE),
        (None, True, None),
        (b"https://example.org", False, None),
    ],
)
async def test_a_refusal_says_why(origin, without, sentence):
    """403 and a sentence, also for who names no origin where that is not enough."""
    came, said = [], []

    async def application(*_):
        came.append(True)

    async def send(message):
        said.append(message)

    check = OriginCheck(application, ["example.org"], without_origin=without)
    headers = [(b"host", b"example.org"), *([(b"origin", origin)] if origin else [])]
    extensions = {"websocket.http.response": {}}
    await check({"type": "websocket", "headers": headers, "extensions": extensions}, None, send)
    if sentence is None:
        assert came
    else:
        assert not came
        assert (said[0]["status"], said[1]["body"].decode()) == (403, f"{sentence}\n")


async def test_refusals_do_not_flood_the_log(caplog):
    """Each gets its 403; the log names the page and the remedy once, not a thousand times."""
    closed = []

    async def send(message):
        closed.append(message["type"])

    check = OriginCheck(None, ["example.org"])
    headers = [(b"host", b"example.org"), (b"origin", b"https://evil.example")]
    for _ in range(1000):
        await check({"type": "websocket", "headers": headers}, None, send)
    assert closed == ["websocket.close"] * 1000
    assert "https://evil.example" in caplog.messages[0]
    assert len(caplog.messages) < 100
