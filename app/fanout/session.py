"""A client that speaks `fanout.v1`: many groups over one socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanout import protocol
from fanout.data import encode_data
from fanout.errors import BadFrame, FanoutError, Forbidden, NotJoined, TooLarge, TooManyGroups
from fanout.groups import check_group
from fanout.hub import get_hub
from fanout.policy import policy_for
from fanout.positions import Position
from fanout.replica import replica_of

if TYPE_CHECKING:
    from fanout.asgi import Scope
    from fanout.members import Subscription
    from fanout.policy import Policy
    from fanout.sockets import Socket


GROUP_LIMIT = 128
"""Groups of one socket: a page shows a handful, and each may cost the process a subscription in Redis."""

RETRY = 1000
"""Milliseconds over which the clients of one batch of a drain spread their return; the batches spread the rest."""
FAREWELL = protocol.reconnect(RETRY)


class Session:
    """One connection. A frame that is refused gets an `error`; the socket stays."""

    __slots__ = ("_hub", "_scope", "_socket", "_subscriptions")

    def __init__(self, scope: Scope, socket: Socket) -> None:
        self._scope = scope
        self._hub = get_hub()
        self._socket = socket
        self._subscriptions: dict[str, Subscription] = {}

    async def open(self) -> bool:
        """Accept."""
        self._socket.farewell = FAREWELL
        self._socket.accept(protocol.SUBPROTOCOL)
        return True

    async def receive(self, event: dict[str, Any]) -> None:
        """Answer a frame."""
        text = event.get("text")
        try:
            if text is None:
                raise BadFrame("Send text frames, not binary ones.")
            match protocol.decode(text):
                case protocol.Join() as frame:
                    await self._join(frame)
                case protocol.Leave() as frame:
                    self._leave(frame)
                case protocol.Publish() as frame:
                    await self._publish(frame, len(text))
        except FanoutError as refused:
            self._socket.send(protocol.error(refused, protocol.id_of(text or "")))

    async def disconnect(self) -> None:
        """Leave all groups."""
        for subscription in self._subscriptions.values():
            self._hub.leave(subscription)

    async def _join(self, frame: protocol.Join) -> None:
        policy = policy_for(check_group(frame.group))
        if not await policy.may_join(self._scope, frame.group):
            raise Forbidden(f"You may not join {frame.group}.")
        since = Position(frame.since.epoch, frame.since.offset) if frame.since else None
        if frame.group not in self._subscriptions and len(self._subscriptions) >= GROUP_LIMIT:
            raise TooManyGroups(f"A socket may be in {GROUP_LIMIT} groups at once: leave one, or open another socket.")
        info = await self._info(policy, frame)
        if frame.group in self._subscriptions:
            self._hub.leave(self._subscriptions.pop(frame.group))
        entry = await self._hub.join(
            frame.group,
            self._socket,
            protocol.ENCODER,
            since=since,
            last=frame.last,
            info=info,
            watch=frame.presence,
        )
        self._subscriptions[frame.group] = entry.subscription
        joined = protocol.joined(frame, replica_of(self._scope), entry)
        self._socket.send(joined, *map(protocol.ENCODER.publication, entry.recovered))

    async def _info(self, policy: Policy, frame: protocol.Join) -> Any:
        if frame.info is not None and len(encode_data(frame.info)) > protocol.INFO_LIMIT:
            raise TooLarge(f"`info` may hold {protocol.INFO_LIMIT} bytes of JSON.")
        return await policy.member(self._scope, frame.group, frame.info)

    def _leave(self, frame: protocol.Leave) -> None:
        subscription = self._subscriptions.pop(check_group(frame.group), None)
        if subscription is None:
            raise NotJoined(f"You are not in {frame.group}.")
        self._hub.leave(subscription)
        self._socket.send(protocol.left(frame))

    async def _publish(self, frame: protocol.Publish, size: int) -> None:
        policy = policy_for(check_group(frame.group))
        if size > policy.frame_limit:
            raise TooLarge(f"A frame for {frame.group} may hold {policy.frame_limit} characters; this one has {size}.")
        if not await policy.may_publish(self._scope, frame.group):
            raise Forbidden(f"You may not publish to {frame.group}.")
        position = await self._hub.publish(frame.group, policy.clean(frame.data), key=frame.key)
        self._socket.send(protocol.ack(frame, position))
