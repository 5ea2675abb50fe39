"""The ASGI application behind a WebSocket path: a plain client of one group, or `fanout.v1` with many."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.apps import apps

from fanout.counters import FAILED, LIMITED, REFUSED, UNAVAILABLE, counters
from fanout.errors import FanoutError, TooFast, TooManyConnections, Unavailable
from fanout.http.problems import CROWDED_RETRY_AFTER
from fanout.hub import get_hub
from fanout.plain import PlainSession
from fanout.protocol import SUBPROTOCOL
from fanout.refusal import turn_away
from fanout.session import Session
from fanout.sockets import socket_of
from fanout.tracing import OnBehalf, TracedHandler

if TYPE_CHECKING:
    from fanout.asgi import Application, Receive, Scope, Send
    from fanout.sockets import Socket


class FanoutConsumer:
    """One WebSocket. Subclass and override `plain_group` to serve plain clients too.

    Not a channels.consumer.AsyncConsumer: it has no channel of its own, because the hub is the only one
    of this process in the group; what that saves is most of a broadcast's cost.
    """

    def plain_group(self, scope: Scope) -> str | None:  # noqa: ARG002 - the default looks at nothing
        """Return the group that a client without subprotocol joins by connecting; None refuses it."""
        return None

    @classmethod
    def as_asgi(cls) -> Application:
        """Return the ASGI application, as Channels' consumers do."""

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await cls()(scope, receive, send)

        return application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. Where the server can, an idle one holds no coroutine: see `Socket.serve`."""
        await receive()  # websocket.connect
        hub = get_hub()
        try:
            await hub.admission.enter(scope)
            await self._serve(scope, receive, send)
        except (TooFast, TooManyConnections) as refused:
            hub.let_go(scope)
            counters.handshakes[LIMITED] += 1
            wait = math.ceil(refused.wait) if isinstance(refused, TooFast) else CROWDED_RETRY_AFTER
            again = [(b"retry-after", b"%d" % wait)]
            await turn_away(scope, send, HTTPStatus.TOO_MANY_REQUESTS, str(refused), again)
        except BaseException:
            hub.let_go(scope)
            raise

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one that was let in. Raise TooFast."""
        socket = socket_of(scope, receive, send)
        with OnBehalf(scope):
            session = self._session(scope, socket)
            if isinstance(session, Session) and not await _is_ticket_good(session, scope, send):
                return
            is_open = session is not None and await _opened(session)
        if session is None:
            counters.handshakes[REFUSED] += 1
            get_hub().let_go(scope)
            await send({"type": "websocket.close", "reason": f"Offer the subprotocol {SUBPROTOCOL}."})
        elif is_open:
            await socket.serve(TracedHandler(scope, session))
        else:
            await session.disconnect()
            await send({"type": "websocket.close"})

    def _session(self, scope: Scope, socket: Socket) -> Session | PlainSession | None:
        if SUBPROTOCOL in scope["subprotocols"]:
            return Session(scope, socket)
        try:
            group = self.plain_group(scope)
        except Exception:
            counters.handshakes[FAILED] += 1
            raise
        return PlainSession(scope, socket, group) if group else None


async def _is_ticket_good(session: Session, scope: Scope, send: Send) -> bool:
    """Make the connection the user's whose ticket is among the subprotocols, if one is; turn away one that is bad."""
    if len(scope["subprotocols"]) == 1 or not apps.is_installed("django.contrib.auth"):
        return True
    from fanout.accounts.tickets import redeem, ticket_in  # it needs Django's accounts, which a project need not have

    if (ticket := ticket_in(scope["subprotocols"])) is None:
        return True
    try:
        await redeem(scope, ticket)
    except FanoutError as refused:
        await session.disconnect()
        is_away = isinstance(refused, Unavailable)
        counters.handshakes[UNAVAILABLE if is_away else REFUSED] += 1
        counters.refusals[refused.code] += 1
        status = HTTPStatus.SERVICE_UNAVAILABLE if is_away else HTTPStatus.FORBIDDEN
        await turn_away(scope, send, status, str(refused))
        return False
    return True


async def _opened(session: Session | PlainSession) -> bool:
    try:
        return await session.open()
    except TooFast:
        await session.disconnect()
        raise
    except Exception:
        await session.disconnect()
        counters.handshakes[FAILED] += 1
        raise
