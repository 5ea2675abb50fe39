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

_HEAD = re.compile(
    rb"GET (/(?!/)[A-Za-z0-9._~!$&'()*+,=:@%/-]*+)(\?[!-\"$-~]*+)? HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9-]++:[\t -~]*+\r\n)++)\r\n"
)
_EXPECTED = {
    b"upgrade": re.compile(rb"websocket", re.IGNORECASE),
    b"connection": re.compile(rb"(?:keep-alive, *)?upgrade", re.IGNORECASE),
    b"sec-websocket-version": re.compile(rb"13"),
    b"sec-websocket-key": re.compile(rb"[A-Za-z0-9+/]{22}=="),
    b"host": re.compile(rb"[A-Za-z0-9._-]+(?::[0-9]{1,5})?"),
}
_ALLOWED = {
    b"origin": re.compile(rb"https?://[A-Za-z0-9._-]+(?::(?:[0-9]{1,4}|[1-5][0-9]{4}))?"),
    b"sec-websocket-protocol": re.compile(rb"[A-Za-z0-9._-]+(?:, *[A-Za-z0-9._-]+)*"),
    b"sec-websocket-extensions": re.compile(rb"permessage-deflate(?:; *client_max_window_bits)?"),
}
_UNPLAIN = frozenset((b"content-length", b"transfer-encoding", b"expect", b"daphne-root-path"))
"""Headers whose meaning is left to Twisted and Daphne."""

Header = tuple[bytes, bytes]


class Upgrade(NamedTuple):
    """The head of a plain upgrade, as Daphne's scope has it."""

    raw_path: bytes
    query_string: bytes
    headers: list[Header]
    key: str
    subprotocols: list[str]

    @property
    def path(self) -> str:
        """The path with its percent signs resolved."""
        return unquote(self.raw_path.decode("ascii"))


def upgrade_in(data: bytes) -> tuple[Upgrade, bytes] | None:
    """Return a plain upgrade and the bytes behind it, or None if the data does not begin with a whole one."""
    match = _HEAD.match(data, 0, HEAD_LIMIT)
    if match is None:
        return None
    path, query, lines = match.groups()
    headers = [_header(line) if len(line) < LINE_LIMIT else _parsed(line) for line in lines[:-2].split(b"\r\n")]
    values = dict(headers)
    if len(values) != len(headers) or len(headers) > HEADERS_LIMIT or not _is_plain(values):
        return None
    subprotocols = values.get(b"sec-websocket-protocol", b"").decode("ascii")
    names = [name.strip() for name in subprotocols.split(",")] if subprotocols else []
    if len(set(names)) != len(names):
        return None
    key = values[b"sec-websocket-key"].decode("ascii")
    return Upgrade(path, query[1:] if query else b"", headers, key, names), data[match.end() :]


def _is_plain(values: dict[bytes, bytes]) -> bool:
    """Whether these headers ask for a WebSocket, and in no way that wants a second look."""
    for name, pattern in _EXPECTED.items():
        if name not in values or not pattern.fullmatch(values[name]):
            return False
    for name, pattern in _ALLOWED.items():
        if name in values and not pattern.fullmatch(values[name]):
            return False
    return _UNPLAIN.isdisjoint(values)


def _parsed(line: bytes) -> Header:
    name, _, value = line.partition(b":")
    return name.lower(), value.strip(b" \t")


_header = lru_cache(LINES)(_parsed)
