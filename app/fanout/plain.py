"""A plain client: it joins one group by connecting, and knows no protocol but the group's own JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from fanout import close_codes
from fanout.counters import ACCEPTED, REFUSED, UNAVAILABLE, counters
from fanout.errors import BadFrame, FanoutError, Forbidden, TooLarge, Unavailable
from fanout.hub import get_hub
from fanout.limits.admission import ALLOWANCE
from fanout.limits.bounds import check_depth, frame_limit, size_of, weight_of
from fanout.policy import policy_for

if TYPE_CHECKING:
    from fanout.asgi import Scope
    from fanout.limits.admission import Allowance
    from fanout.members import Subscription
    from fanout.positions import Position
    from fanout.presence.view import Change
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

    __slots__ = ("_allowance", "_closed", "_group", "_hub", "_policy", "_scope", "_socket", "_subscription")

    def __init__(self, scope: Scope, socket: Socket, group: str) -> None:
        self._scope = scope
        self._socket = socket
        self._group = group
        self._policy = policy_for(group)
        self._hub = get_hub()
        self._subscription: Subscription | None = None
        self._closed = False
        self._allowance: Allowance | None = scope.get(ALLOWANCE)
        self._hub.accounts.hold(scope, self)

    async def open(self) -> bool:
        """Join and accept; return False for a client that is to be refused."""
        if not await self._policy.may_join(self._scope, self._group):
            counters.handshakes[REFUSED] += 1
            return False
        try:
            # Accepted means joined: the client is not told before Redis has confirmed it.
            info = await self._policy.member(self._scope, self._group, None)
            await self._hub.admit(self._scope, self._group)
            entry = await self._hub.join(self._group, self._socket, ENCODER, info=info)
        except Unavailable as error:
            counters.handshakes[UNAVAILABLE] += 1
            self._socket.accept()
            self._close(error)
        else:
            self._subscription = entry.subscription
            self._socket.accept()
            counters.handshakes[ACCEPTED] += 1
            if self._allowance is not None:
                self._hub.patience.awaits_account(self, self._scope)
        return True

    async def receive(self, event: dict[str, Any]) -> None:
        """Publish what the client sends."""
        if self._closed:  # what it still sends is ignored
            return
        try:
            await self._publish(event)
        except FanoutError as error:
            self._close(error)

    async def disconnect(self) -> None:
        """Leave the group."""
        self._leave()
        self._hub.let_go(self._scope)

    def dismiss(self, code: int, reason: str) -> None:
        """See Holder."""
        self._closed = True
        self._leave()
        self._socket.close(code, reason)

    async def recheck(self) -> None:
        """See Holder."""
        if not await self._policy.may_join(self._scope, self._group):
            self.dismiss(close_codes.FORBIDDEN, f"You may not be in {self._group} any more.")

    def _leave(self) -> None:
        if self._subscription is not None:
            self._hub.leave(self._subscription)

    def _close(self, error: FanoutError) -> None:
        """Close with the error's code and sentence."""
        self._closed = True
        counters.refusals[error.code] += 1
        self._socket.close(CLOSE_CODES.get(type(error), close_codes.BAD_INPUT), str(error))

    async def _publish(self, event: dict[str, Any]) -> None:
        text = event.get("text")
        if text is None:
            raise BadFrame("Send text frames, not binary ones.")
        cost, size = 1 + weight_of(text), size_of(text)
        # It knows no errors: it is read as fast as it may send, and no faster.
        while self._allowance is not None and (refused := self._allowance.refusal(self._scope, cost, size)):  # noqa: ASYNC110
            await asyncio.sleep(refused.wait)
        if len(text) > (most := frame_limit(self._policy)):
            counters.limited["frame_bytes"] += 1
            raise TooLarge(f"A frame may hold {most} bytes.")
        try:
            data = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            raise BadFrame('Send JSON, for example {"message": "hi"}.') from None
        check_depth(data)
        if not await self._policy.may_publish(self._scope, self._group):
            raise Forbidden(f"You may not publish to {self._group}.")
        await self._hub.publish(self._group, await self._policy.accept(self._scope, self._group, data))
