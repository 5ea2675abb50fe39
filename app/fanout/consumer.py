"""The ASGI application behind a WebSocket path: a plain client of one group, or `fanout.v1` with many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanout.plain import PlainSession
from fanout.protocol import SUBPROTOCOL
from fanout.session import Session
from fanout.sockets import socket_of

if TYPE_CHECKING:
    from fanout.asgi import Application, Receive, Scope, Send


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
        socket = socket_of(scope, receive, send)
        session: Session | PlainSession
        if SUBPROTOCOL in scope["subprotocols"]:
            session = Session(scope, socket)
        elif group := self.plain_group(scope):
            session = PlainSession(scope, socket, group)
        else:
            await send({"type": "websocket.close", "reason": f"Offer the subprotocol {SUBPROTOCOL}."})
            return
        if await session.open():
            await socket.serve(session)
        else:
            await send({"type": "websocket.close"})
