"""Which pages may talk to us: a browser says where its page came from, and only that is trusted."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from django.http.request import split_domain_port, validate_host

from fanout.sparse_log import SparseLog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanout.asgi import Application, Receive, Scope, Send


logger = logging.getLogger(__name__)

VERDICTS = 1024
"""Pairs of page and host whose verdict is remembered."""
NAME_LIMIT = 512
"""Bytes of such a pair; a longer one is nobody's who comes twice."""
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
PORTS = {"http": "80", "https": "443"}
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]/:@?#\s]+)(?::(\d+))?", re.IGNORECASE)
ORIGIN = re.compile(rf"(https?)://({HOST.pattern})", re.IGNORECASE)


def is_allowed(origin: str | None, host: str, trusted: Iterable[str]) -> bool:
    """Whether a page of `origin` may open a socket on `host` (the Host header).

    No origin means no browser: nobody's cookies ride along. A page of the same host and port may, one
    of a trusted origin may; on a developer's machine the names of the loopback address are one host.
    """
    if origin is None or origin in trusted:
        return True
    page = ORIGIN.fullmatch(origin)
    if page is None:
        return False
    port = PORTS[page[1].lower()]
    return _normal(page[2], port) == _normal(host, port) is not None


def _normal(host: str, port: str) -> str | None:
    """Return host and port in one spelling, `port` being the scheme's own; None for what is no host."""
    match = HOST.fullmatch(host.lower())
    if match is None:
        return None
    return f"{'localhost' if match[1] in LOOPBACK else match[1]}:{match[2] or port}"


class OriginRule:
    """The rule for one site; `hosts` as in ALLOWED_HOSTS."""

    def __init__(self, hosts: list[str], trusted: Iterable[str] = ()) -> None:
        self._hosts = hosts
        self.trusted = tuple(trusted)
        # The pages and hosts of real clients are few; strangers push each other out.
        self._remembered = lru_cache(VERDICTS)(self._judge)
        self._log = SparseLog(logger)

    def allows(self, origin: bytes | None, host: bytes) -> bool:
        """Whether a page of `origin` may talk to us on `host` (the Host header)."""
        judge = self._remembered if len(origin or b"") + len(host) < NAME_LIMIT else self._judge
        return judge(origin, host)

    def is_ours(self, host: str) -> bool:
        """Whether the Host header names us: a name of a stranger may point here too (DNS rebinding)."""
        return validate_host(split_domain_port(host)[0], self._hosts)

    def log_refused(self, what: str, origin: bytes | None, host: bytes) -> None:
        """Tell the operator, who may know the page."""
        self._log.warning(
            "refused %s from the page %r on host %r: if they are yours, add the page to FANOUT_TRUSTED_ORIGINS"
            " or the host to FANOUT_ALLOWED_HOSTS",
            what,
            origin,
            host.decode("latin1"),
        )

    def _judge(self, page: bytes | None, name: bytes) -> bool:
        origin, host = None if page is None else page.decode("latin1"), name.decode("latin1")
        # A page's own host is believed only if it is one of ours: else origin and host would agree.
        return is_allowed(origin, host if self.is_ours(host) else "", self.trusted)


class OriginCheck:
    """ASGI middleware for WebSocket applications; `hosts` as in ALLOWED_HOSTS. A refused handshake gets 403."""

    def __init__(self, application: Application, hosts: list[str], trusted: Iterable[str] = ()) -> None:
        self._application = application
        self._rule = OriginRule(hosts, trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the connection on or refuse it."""
        headers = dict(scope["headers"])
        origin, host = headers.get(b"origin"), headers.get(b"host", b"")
        if self._rule.allows(origin, host):
            await self._application(scope, receive, send)
            return
        self._rule.log_refused("a WebSocket", origin, host)
        await send({"type": "websocket.close", "code": 1008, "reason": "origin not allowed"})
