"""Which pages may talk to us: a browser says where its page came from, and only that is trusted."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from fanout.counters import BAD_ORIGIN, counters
from fanout.refusal import turn_away
from fanout.sparse_log import SparseLog
from fanout.tracing import OnBehalf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fanout.asgi import Application, Receive, Scope, Send


logger = logging.getLogger(__name__)

VERDICTS = 1024
"""Pairs of page and host whose verdict is remembered."""
NAME_LIMIT = 512
"""Bytes of such a pair; a longer one is nobody's who comes twice."""
NOT_YOURS = "Pages of this origin may not use this server: see FANOUT_TRUSTED_ORIGINS."
NAME_ONE = "Clients have to name an origin here, as browsers do: see FANOUT_WITHOUT_ORIGIN."
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SECURE = ("https", "wss")
"""Schemes of a scope; Daphne's for a WebSocket has none."""
PORTS = {"http": "80", "https": "443"}
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]/:@?#\s]+)(?::(\d+))?", re.IGNORECASE)
ORIGIN = re.compile(rf"(https?)://({HOST.pattern})", re.IGNORECASE)


def is_allowed(origin: str | None, host: str, trusted: Iterable[str], *, secure: bool = False) -> bool:
    """Whether a page of `origin` may open a socket on `host` (the Host header); `secure`: one that comes by TLS.

    No origin means no browser: nobody's cookies ride along. A page of the same host and port may, one
    of a trusted origin may; on a developer's machine the names of the loopback address are one host. A page that came
    in the clear may be anybody's on the way, and may not use what came by TLS; the other way round it may, since TLS
    can end at a proxy that does not say so.
    """
    if origin is None or origin in trusted:
        return True
    page = ORIGIN.fullmatch(origin)
    if page is None or (secure and page[1].lower() != "https"):
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
    """The rule for one site; `hosts` as in ALLOWED_HOSTS. `without_origin`: whether clients that name none may talk."""

    def __init__(self, hosts: list[str], trusted: Iterable[str] = (), *, without_origin: bool = True) -> None:
        self._hosts = hosts
        self.without_origin = without_origin
        self.trusted = tuple(trusted)
        self._tells_scheme = _header_of_the_scheme()
        # The pages and hosts of real clients are few; strangers push each other out.
        self._remembered = lru_cache(VERDICTS)(self._judge)
        self._log = SparseLog(logger)

    def allows(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the page that a connection comes from may talk to us; `headers` are those of the scope."""
        origin, host = headers.get(b"origin"), headers.get(b"host", b"")
        name, value = self._tells_scheme
        secure = scope.get("scheme") in SECURE or headers.get(name, b"").partition(b",")[0].strip() == value
        judge = self._remembered if len(origin or b"") + len(host) < NAME_LIMIT else self._judge
        return judge(origin, host, secure)

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

    def _judge(self, page: bytes | None, name: bytes, secure: bool) -> bool:
        if page is None and not self.without_origin:
            return False
        origin, host = None if page is None else page.decode("latin1"), name.decode("latin1")
        # A page's own host is believed only if it is one of ours: else origin and host would agree.
        return is_allowed(origin, host if self.is_ours(host) else "", self.trusted, secure=secure)


def _header_of_the_scheme() -> tuple[bytes, bytes]:
    """Return the header by which a trusted proxy says that a client came by TLS, and its value then."""
    said: tuple[str, str] | None = settings.SECURE_PROXY_SSL_HEADER
    if said is None:
        return b"", b"-"
    return said[0].removeprefix("HTTP_").replace("_", "-").lower().encode(), said[1].encode()


class OriginCheck:
    """ASGI middleware for WebSocket applications; arguments as of OriginRule. A refused handshake gets 403, and why."""

    def __init__(
        self, application: Application, hosts: list[str], trusted: Iterable[str] = (), *, without_origin: bool = True
    ) -> None:
        self._application = application
        self._rule = OriginRule(hosts, trusted, without_origin=without_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the connection on or refuse it."""
        headers = dict(scope["headers"])
        origin, host = headers.get(b"origin"), headers.get(b"host", b"")
        if self._rule.allows(scope, headers):
            await self._application(scope, receive, send)
            return
        counters.handshakes[BAD_ORIGIN] += 1
        with OnBehalf(scope):
            self._rule.log_refused("a WebSocket", origin, host)
        await turn_away(scope, send, HTTPStatus.FORBIDDEN, NAME_ONE if origin is None else NOT_YOURS)
