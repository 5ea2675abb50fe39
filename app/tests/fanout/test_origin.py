"""Which pages may open a socket."""

import pytest

from fanout.origin import OriginCheck, is_allowed


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
