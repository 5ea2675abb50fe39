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
    from collections.abc import Callable

    from fanout.history import History
    from fanout.layers import envelope
    from fanout.positions import Position, Top
    from fanout.presence import Part, PartReceiver
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

    async def publish(self, group: str, data: bytes, key: str | None = None) -> None:
        """See FanoutLayer."""
        await self._get_layer().publish(group, data, key)

    async def append(self, group: str, data: bytes, history: History, key: str | None = None) -> Position:
        """See FanoutLayer."""
        layer = self._get_layer()
        return await layer.streams.append(group, layer.topic_of(group), data, history, key)

    async def top(self, group: str) -> Top:
        """See FanoutLayer."""
        return await self._get_layer().streams.top(group)

    async def read(self, group: str, after: Position, through: int) -> list[Publication]:
        """See FanoutLayer."""
        return await self._get_layer().streams.read(group, after, through)

    async def announce(self, group: str, part: Part) -> None:
        """See FanoutLayer."""
        layer = self._get_layer()
        await layer.attendance.announce(group, layer.topic_of(group), part)

    async def presence(self, group: str) -> list[Part]:
        """See FanoutLayer."""
        return await self._get_layer().attendance.presence(group)

    async def forget(self, group: str, part: Part) -> None:
        """See FanoutLayer."""
        await self._get_layer().attendance.forget(group, part)

    async def beat(self, process: str, stale_after: float) -> set[str]:
        """See FanoutLayer."""
        return await self._get_layer().attendance.beat(process, stale_after)

    def on_back(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See FanoutLayer."""
        callbacks = self._get_layer().callbacks
        callbacks[callback] = None
        return lambda: callbacks.pop(callback, None)
