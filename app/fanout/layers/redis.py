"""The channel layer over Redis pub/sub: channels_redis' API, with confirmed memberships and a hub's feed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from channels.layers import BaseChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from channels_redis.serializers import registry
from channels_redis.utils import _wrap_close

from fanout.layers.redis_loop import RedisLoopLayer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from fanout.history import History
    from fanout.layers import envelope
    from fanout.positions import Position, Top
    from fanout.presence.view import Part, PartReceiver
    from fanout.publication import Publication, Receiver


class RedisChannelLayer(RedisPubSubChannelLayer):
    """A Channels layer for `CHANNEL_LAYERS`; takes the options of channels_redis' pub/sub layer.

    `hosts`, `prefix`, `symmetric_encryption_keys`, `serializer_format` as there; `on_disconnect` and
    `on_reconnect` are called. `capacity` and `channel_capacity` (messages) and `expiry` (seconds) bound
    what waits in a general channel, as in every layer of Channels. `fanout.layers` states the guarantees.

    Under Sentinel (`{"sentinels": [(host, port), …], "master_name": …}` as a host) give the Redis servers
    `min-replicas-to-write 1`: a master that lost its replicas then refuses what a failover would lose.
    """

    def __init__(
        self,
        *args: Any,
        symmetric_encryption_keys: Any = None,
        capacity: int = 100,
        channel_capacity: dict[Any, int] | None = None,
        expiry: float = 60,
        **options: Any,
    ) -> None:
        super().__init__(*args, symmetric_encryption_keys=symmetric_encryption_keys, **options)
        self.limits = BaseChannelLayer(expiry=expiry, capacity=capacity)
        self.limits.channel_capacity = self.limits.compile_capacities(channel_capacity or {})
        # Publications carry bytes, which JSON can't: they are MessagePack, whatever events travel in.
        self.publication_serializer: envelope.Serializer = registry.get_serializer(
            "msgpack", symmetric_encryption_keys=symmetric_encryption_keys
        )

    def _get_layer(self) -> RedisLoopLayer:
        loop = asyncio.get_running_loop()
        layer: RedisLoopLayer | None = self._layers.get(loop)
        if layer is None:
            layer = self._layers[loop] = RedisLoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        return layer

    async def subscribe(self, group: str, receiver: Receiver, on_part: PartReceiver | None = None) -> None:
        """See FanoutLayer."""
        await self._get_layer().subscribe(group, receiver, on_part)

    def unsubscribe(self, group: str, receiver: Receiver) -> None:
        """See FanoutLayer."""
        self._get_layer().unsubscribe(group, receiver)

    async def publish(self, group: str, data: bytes, value_key: str | None = None) -> None:
        """See FanoutLayer."""
        await self._get_layer().publish(group, data, value_key)

    async def append(self, group: str, data: bytes, history: History, key: str | None = None) -> Position:
        """See FanoutLayer."""
        layer = self._get_layer()
        return await layer.streams.append(group, layer.topic_of(group), data, history, key)

    async def top(self, group: str) -> Top:
        """See FanoutLayer."""
        return await self._get_layer().streams.top(group)

    async def tops(self, kind: str) -> dict[str, Top]:
        """See FanoutLayer."""
        return await self._get_layer().streams.tops(kind)

    async def read(self, group: str, after: Position, through: int) -> list[Publication]:
        """See FanoutLayer."""
        return await self._get_layer().streams.read(group, after, through)

    async def watch_archive(self, callback: Callable[[str], None]) -> None:
        """Call back with the group of each publication that waits for the archive, from now on. Raise Unavailable.

        What comes while a connection is lost is not told: look at all groups whenever `on_back` calls.
        """
        await self._get_layer().watch_archive(callback)

    def hears_all(self) -> bool:
        """Whether each host is heard at this moment, where something is subscribed on each."""
        return self._get_layer().hears_all

    def durable_groups(self) -> AsyncIterator[str]:
        """Iterate over the durable groups of all hosts, some perhaps twice. Raises Unavailable."""
        return self._get_layer().durable_groups()

    async def archived(self, group: str, through: Position, history: History) -> None:
        """Tell that a group's publications are in the archive up to a position: they may be trimmed. Raise Unavailable.

        Changes nothing when the stream is in another epoch by now.
        """
        await self._get_layer().streams.archived(group, through, history)

    async def announce(self, group: str, part: Part) -> None:
        """See FanoutLayer."""
        layer = self._get_layer()
        await layer.presence.announce(group, layer.topic_of(group), part)

    async def presence(self, group: str) -> list[Part]:
        """See FanoutLayer."""
        return await self._get_layer().presence.presence(group)

    async def forget(self, group: str, part: Part) -> None:
        """See FanoutLayer."""
        await self._get_layer().presence.forget(group, part)

    async def beat(self, process: str, stale_after: float) -> set[str]:
        """See FanoutLayer."""
        return await self._get_layer().presence.beat(process, stale_after)

    async def claim(self, process: str, subject: str, own: int, limit: int, stale_after: float) -> bool:
        """See FanoutLayer."""
        return await self._get_layer().holdings.claim(process, subject, own, limit, stale_after)

    async def hold(self, process: str, counts: Mapping[str, int], stale_after: float) -> int:
        """See FanoutLayer."""
        return await self._get_layer().holdings.hold(process, counts, stale_after)

    async def deposit(self, name: str, value: bytes, seconds: float) -> None:
        """See FanoutLayer."""
        await self._get_layer().deposits.deposit(name, value, seconds)

    async def collect(self, name: str) -> bytes | None:
        """See FanoutLayer."""
        return await self._get_layer().deposits.collect(name)

    def on_back(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See FanoutLayer."""
        callbacks = self._get_layer().callbacks
        callbacks[callback] = None
        return lambda: callbacks.pop(callback, None)
