"""A plain client: it joins one group by connecting, and knows no protocol but the group's own JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanout import close_codes
from fanout.errors import BadFrame, FanoutError, Forbidden, TooLarge, Unavailable
from fanout.hub import get_hub
from fanout.policy import policy_for
from fanout.sockets import socket_of

if TYPE_CHECKING:
    from fanout.asgi import Receive, Scope, Send
    from fanout.positions import Position
    from fanout.presence import Change
    from fanout.publication import Publication
    from fanout.sockets import Socket


CLOSE_CODES = {Unavailable: close_codes.TRY_AGAIN_LATER, Forbidden: close_codes.FORBIDDEN}
"""How a plain client is told; every other error is its own fault: 4400."""


class PlainEncoder:
    """The frames of plain clients: the data alone."""

    def publication(self, publication: Publication) -> bytes:
        """Return the data."""
        return publication.data

    def reset(self, group: str, position: Position, reason: str) -> None:  # noqa: ARG002 - has no word for it
        """Plain clients know no positions."""
        return

    def presence(self, group: str, change: Change) -> None:  # noqa: ARG002 - has no word for it
        """Plain clients are counted, and not told."""
        return


ENCODER = PlainEncoder()


class PlainSession:
    """One connection of a plain client. What it must not send closes it with 4400 and the reason."""

    def __init__(self, scope: Scope, send: Send, group: str) -> None:
        self._scope = scope
        self._send = send
        self._group = group
        self._policy = policy_for(group)
        self._hub = get_hub()

    async def run(self, receive: Receive) -> None:
        """Join, then publish what the client sends, until it goes."""
        if not await self._policy.may_join(self._scope, self._group):
            await self._send({"type": "websocket.close"})
            return
        socket = socket_of(self._scope, self._send)
        try:
            # Accepted means joined: the client is not told before Redis has confirmed it.
            info = await self._policy.member(self._scope, self._group, None)
            entry = await self._hub.join(self._group, socket, ENCODER, info=info)
        except Unavailable as error:
            socket.accept()
            await self._end(socket, error, receive)
            return
        try:
            socket.accept()
            await self._publish_all(socket, receive)
        finally:
            self._hub.leave(entry.subscription)

    async def _publish_all(self, socket: Socket, receive: Receive) -> None:
        while (event := await receive())["type"] == "websocket.receive":
            try:
                await self._publish(event)
            except FanoutError as error:
                await self._end(socket, error, receive)
                return

    async def _end(self, socket: Socket, error: FanoutError, receive: Receive) -> None:
        """Close with the error's code and sentence; what the client still sends is ignored."""
        socket.close(CLOSE_CODES.get(type(error), close_codes.BAD_INPUT), str(error))
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def _publish(self, event: dict[str, Any]) -> None:
        text = event.get("text")
        if text is None:
            raise BadFrame("Send text frames, not binary ones.")
        if len(text) > self._policy.frame_limit:
            raise TooLarge(f"A frame may hold {self._policy.frame_limit} bytes.")
        try:
            data = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            raise BadFrame('Send JSON, for example {"message": "hi"}.') from None
        data = self._policy.clean(data)
        if not await self._policy.may_publish(self._scope, self._group):
            raise Forbidden(f"You may not publish to {self._group}.")
        await self._hub.publish(self._group, data)
