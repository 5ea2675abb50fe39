"""Which pages may open a socket: a browser says where its page came from, and only that is trusted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from fanout.consumer import Receive, Send
    from fanout.policy import Scope

    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
PORTS = {"http": ":80", "https": ":443"}


def is_allowed(origin: str | None, host: str, trusted: Iterable[str]) -> bool:
    """Whether a page of `origin` may open a socket on `host` (the Host header).

    No origin means no browser: nobody's cookies ride along. A page of the same host and port may, one
    of a trusted origin may; on a developer's machine the names of the loopback address are one host.
    """
    if origin is None or origin in trusted:
        return True
    parts = urlsplit(origin)
    return (
        bool(parts.netloc)
        and parts.scheme in PORTS
        and _one_name(parts.netloc, parts.scheme) == _one_name(host, parts.scheme)
    )


def _one_name(netloc: str, scheme: str) -> str:
    name, port = netloc.lower(), PORTS[scheme]
    if not name.endswith("]") and ":" in name.rpartition("]")[2]:
        name, _, number = name.rpartition(":")
        port = f":{number}"
    return ("localhost" if name in LOOPBACK else name) + port


class OriginCheck:
    """ASGI middleware for WebSocket applications. A refused handshake gets 403."""

    def __init__(self, application: Application, trusted: Iterable[str] = ()) -> None:
        self._application = application
        self._trusted = tuple(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the connection on or refuse it."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        host = headers.get(b"host", b"").decode("latin1")
        if is_allowed(None if origin is None else origin.decode("latin1"), host, self._trusted):
            await self._application(scope, receive, send)
            return
        logger.warning(
            "refused a WebSocket from the page %r on host %r: add it to FANOUT_TRUSTED_ORIGINS if it is yours",
            origin,
            host,
        )
        await send({"type": "websocket.close", "code": 1008, "reason": "origin not allowed"})
