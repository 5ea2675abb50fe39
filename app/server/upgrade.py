"""A plain WebSocket upgrade in the first bytes of a connection, recognised by a strict pattern.

What does not fit is no error: Twisted, Daphne and autobahn read it then, and say what is wrong with it. So the
pattern may be narrow, but what fits must mean to those three exactly what is read here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

HEAD_LIMIT = 8192
"""Bytes of a request's head that the short way takes; Twisted goes on to 16 KiB and refuses what is longer."""
HEADERS_LIMIT = 64
"""Headers that it takes; a browser behind nginx sends some twenty, Twisted takes 500."""
LINE_LIMIT = 256
"""Bytes of a header line that is remembered: what many clients send alike is shared by their scopes."""
LINES = 1024
"""Lines that are remembered."""

_TEXT = bytes((0x09, 0x0A, 0x0D, *range(0x20, 0x7F)))
"""The only bytes of a plain head."""
_REQUEST = re.compile(rb"GET (/(?!/)[A-Za-z0-9._~!$&'()*+,=:@%/-]*+)(\?[^# \t\r\n]*+)? HTTP/1\.1")
_LINE = re.compile(rb"([A-Za-z0-9-]++):[\t ]*+([^\r\n]*+)")
_NEVER = re.compile(rb"(?!)")
_VALUES = {
    b"upgrade": re.compile(rb"websocket", re.IGNORECASE),
    b"connection": re.compile(rb"(?:keep-alive, *)?upgrade", re.IGNORECASE),
    b"sec-websocket-version": re.compile(rb"13"),
    b"sec-websocket-key": re.compile(rb"[A-Za-z0-9+/]{22}=="),
    b"host": re.compile(rb"[A-Za-z0-9._-]+(?::[0-9]{1,5})?"),
    # These need not be there.
    b"origin": re.compile(rb"https?://[A-Za-z0-9._-]+(?::(?:[0-9]{1,4}|[1-5][0-9]{4}))?"),
    b"sec-websocket-protocol": re.compile(rb"[A-Za-z0-9._-]+(?:, *[A-Za-z0-9._-]+)*"),
    b"sec-websocket-extensions": re.compile(rb"permessage-deflate(?:; *client_max_window_bits)?"),
    # These mean something to Twisted or Daphne that is not plain.
    b"content-length": _NEVER,
    b"transfer-encoding": _NEVER,
    b"expect": _NEVER,
    b"daphne-root-path": _NEVER,
}
"""What a header's value must be; that of any other may be what it likes."""
_REQUIRED = frozenset((b"upgrade", b"connection", b"sec-websocket-version", b"sec-websocket-key", b"host"))

Header = tuple[bytes, bytes]


class Upgrade(NamedTuple):
    """The head of a plain upgrade, as Daphne's scope has it."""

    raw_path: bytes
    query_string: bytes
    headers: list[Header]
    key: str
    subprotocols: list[str]
    request_id: bytes | None = None
    """Whoever stands in front has given the request."""

    @property
    def path(self) -> str:
        """The path with its percent signs resolved."""
        return unquote(self.raw_path.decode("ascii"))


def upgrade_in(data: bytes) -> tuple[Upgrade, bytes] | None:
    """Return a plain upgrade and the bytes behind it, or None if the data does not begin with a whole one."""
    end = data.find(b"\r\n\r\n", 0, HEAD_LIMIT)
    head = data[: max(end, 0)]
    if not head.startswith(b"GET /") or head.translate(None, _TEXT):
        return None
    request, *lines = head.split(b"\r\n")
    asked = _REQUEST.fullmatch(request)
    parsed = [_header(line) if len(line) < LINE_LIMIT else _parsed(line) for line in lines]
    headers = [header for header in parsed if header is not None]
    if asked is None or len(headers) != len(lines) or len(headers) > HEADERS_LIMIT:
        return None
    values = dict(headers)
    if len(values) != len(headers) or not values.keys() >= _REQUIRED:
        return None
    subprotocols = _subprotocols(values)
    if len(set(subprotocols)) != len(subprotocols):
        return None
    query, key = asked[2], values[b"sec-websocket-key"].decode("ascii")
    name = values.get(b"x-request-id")
    return Upgrade(asked[1], query[1:] if query else b"", headers, key, subprotocols, name), data[end + 4 :]


def _subprotocols(values: dict[bytes, bytes]) -> list[str]:
    offered = values.get(b"sec-websocket-protocol")
    return [name.strip() for name in offered.decode("ascii").split(",")] if offered else []


def _parsed(line: bytes) -> Header | None:
    """Return name and value of a header line, None if it is not plain."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    name, value = match[1].lower(), match[2].rstrip(b" \t")
    allowed = _VALUES.get(name)
    return (name, value) if allowed is None or allowed.fullmatch(value) else None


_header = lru_cache(LINES)(_parsed)
