"""The hub of this process: group to local subscriptions. It alone joins groups on the channel layer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import msgspec
from channels.layers import get_channel_layer

from fanout.layers import FanoutLayer
from fanout.policy import policy_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.publication import Publication
    from fanout.sockets import Broadcaster, Socket

    Encoder = Callable[[Publication], bytes]
    """Makes the payload of a frame; one function a protocol, so that all of its sockets share the bytes."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One client's place in one group."""

    group: str
    socket: Socket
    encoder: Encoder


class Hub:
    """Delivers the publications of groups to the sockets of this process.

    Guarantees (ephemeral groups): a subscription gets every publication that is made after `join`
    returned, once and in the order of its publisher, as long as this process keeps its connection
    to Redis and the socket's outbox has room. There is one delivery path: what this process publishes
    comes back to it through the layer like everything else.
    """

    def __init__(self, layer: FanoutLayer) -> None:
        self._layer = layer
        self._members: dict[str, _Members] = {}

    async def join(self, group: str, socket: Socket, encoder: Encoder) -> Subscription:
        """Subscribe the socket; in force when it returns. Raise Unavailable.

        No publication is delivered between the return and the caller's next await: what it sends
        there (`joined`) arrives first.
        """
        members = self._members.get(group)
        if members is None:
            members = self._members[group] = _Members(group, self._layer)
        members.joining += 1
        try:
            await asyncio.shield(members.membership)
        except BaseException:
            members.joining -= 1
            self._release(members)
            raise
        members.joining -= 1
        subscription = Subscription(group, socket, encoder)
        members.add(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """End a subscription; nothing is delivered to it any more. Harmless when repeated."""
        members = self._members.get(subscription.group)
        if members is not None:
            members.remove(subscription)
            self._release(members)

    async def publish(self, group: str, data: Any) -> None:
        """Publish `data` (anything JSON can say) to the group, fleet-wide. Raise Unavailable.

        Returns when Redis has taken it, not when clients have it.
        """
        await self._layer.publish(group, msgspec.json.encode(data))

    @property
    def groups(self) -> dict[str, int]:
        """Subscriptions of this process by group."""
        return {group: members.sockets for group, members in self._members.items()}

    def _release(self, members: _Members) -> None:
        """Leave the group on the layer when nobody here is in it or about to be."""
        if members.sockets or members.joining or self._members.get(members.group) is not members:
            return
        del self._members[members.group]
        if not members.membership.done():
            members.membership.cancel()
        elif not members.membership.cancelled() and members.membership.exception() is None:
            self._layer.unsubscribe(members.group, members.deliver)


class _Members:
    """Who is in one group in this process."""

    def __init__(self, group: str, layer: FanoutLayer) -> None:
        self.group = group
        self.joining = 0
        self.sockets = 0
        self.outbox_limit = policy_for(group).outbox_limit
        self._audiences: dict[tuple[Encoder, Broadcaster], set[Socket]] = {}
        self.membership = asyncio.ensure_future(layer.subscribe(group, self.deliver))

    def add(self, subscription: Subscription) -> None:
        audience = self._audience_of(subscription)
        self.sockets += subscription.socket not in audience
        audience.add(subscription.socket)

    def remove(self, subscription: Subscription) -> None:
        audience = self._audience_of(subscription)
        self.sockets -= subscription.socket in audience
        audience.discard(subscription.socket)

    def deliver(self, publication: Publication) -> None:
        """Write a publication to every socket: the payload is made once for all that share an encoder."""
        for (encoder, broadcaster), sockets in self._audiences.items():
            if sockets:
                broadcaster.broadcast(sockets, encoder(publication), self.outbox_limit)

    def _audience_of(self, subscription: Subscription) -> set[Socket]:
        key = (subscription.encoder, subscription.socket.broadcaster)
        return self._audiences.setdefault(key, set())


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def get_hub() -> Hub:
    """Return the hub of the running event loop: one for a replica, which has one loop.

    Raises TypeError when the default channel layer is none of fanout's.
    """
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        layer = get_channel_layer()
        if not isinstance(layer, FanoutLayer):
            raise TypeError(
                f"CHANNEL_LAYERS['default'] is {type(layer).__name__}: the hub needs fanout.layers.RedisChannelLayer"
                " or fanout.layers.InMemoryChannelLayer as BACKEND."
            )
        hub = _hubs[loop] = Hub(layer)
    return hub
