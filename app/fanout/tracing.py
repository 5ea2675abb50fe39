"""Whose request a line of the log is about: nginx gives each an id, and a WebSocket keeps that of its handshake.

A task that outlives the request, a group's for example, is nobody's: what it logs later has no id.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanout.asgi import Application, Receive, Scope, Send
    from fanout.sockets import Handler

HEADER = b"x-request-id"
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""nginx' own are 32 hexadecimal digits; without it whatever a client sends is looked at."""
KINDS = {"websocket": "connection_id"}
"""Type of scope → what its id is called; `request_id` for all others."""

_current: ContextVar[OnBehalf | None] = ContextVar("fanout.tracing", default=None)


class OnBehalf:
    """A context in which what is logged is about the client of a scope."""

    __slots__ = ("_before", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope: Scope | None = scope

    def __enter__(self) -> None:
        self._before = _current.get()
        _current.set(self)

    def __exit__(self, *_: object) -> None:
        self._scope = None  # also for the tasks that were begun meanwhile: they hold this, and no scope
        _current.set(self._before)  # no reset by a token: a coroutine that is thrown away ends in another context

    def ids(self) -> dict[str, str]:
        """Return the id by its name; nothing without one."""
        found = request_id_of(self._scope) if self._scope is not None else None
        return {KINDS.get(self._scope["type"], "request_id"): found} if found and self._scope else {}


def ids() -> dict[str, str]:
    """Return the id of the request, or of the connection, that is being served, by its name."""
    current = _current.get()
    return current.ids() if current is not None else {}


def request_id_of(scope: Scope) -> str | None:
    """Return the id that the request came with; None where nobody gave it one, or one that is none."""
    for name, value in scope.get("headers", ()):
        if name == HEADER:
            text = value.decode("latin1")
            return text if WELL_FORMED.fullmatch(text) else None
    return None


class Traced:
    """ASGI middleware for HTTP: what is logged for a request has its id, and the answer, as `X-Request-ID`."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        given = request_id_of(scope)

        async def send_with_id(event: dict[str, Any]) -> None:
            if given is not None and event["type"] == "http.response.start":
                event = {**event, "headers": [*event.get("headers", ()), (HEADER, given.encode())]}
            await send(event)

        with OnBehalf(scope):
            await self._application(scope, receive, send_with_id)


class TracedHandler:
    """A handler of a WebSocket: what is logged for a message has the connection's id."""

    __slots__ = ("_handler", "_scope")

    def __init__(self, scope: Scope, handler: Handler) -> None:
        self._scope = scope
        self._handler = handler

    async def receive(self, event: dict[str, Any]) -> None:
        """Pass a message on."""
        with OnBehalf(self._scope):
            await self._handler.receive(event)

    async def disconnect(self) -> None:
        """Pass it on."""
        with OnBehalf(self._scope):
            await self._handler.disconnect()
