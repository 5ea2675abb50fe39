"""The part of the channel layer over Redis that belongs to one event loop: connections, channels, groups."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import TYPE_CHECKING, Any

from channels_redis.pubsub import RedisPubSubLoopLayer
from channels_redis.utils import _consistent_hash, decode_hosts

from fanout.errors import Unavailable
from fanout.layers import envelope
from fanout.layers.deposits import Deposits
from fanout.layers.holdings import Holdings
from fanout.layers.presence import Presence
from fanout.layers.queues import Queues
from fanout.layers.recipients import Recipients
from fanout.layers.shard import Shard
from fanout.layers.streams import Streams
from fanout.publication import Publication
from fanout.sparse_log import SparseLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fanout.presence.view import PartReceiver
    from fanout.publication import Receiver

logger = logging.getLogger(__name__)

CONFIRM_TIMEOUT = 3.0
"""Seconds that a membership may wait for Redis: longer than one reconnect, shorter than a handshake's 5 s in Daphne."""


class RedisLoopLayer(RedisPubSubLoopLayer):
    """The layer's part that belongs to one event loop."""

    def __init__(self, hosts: Any = None, **options: Any) -> None:
        super().__init__(hosts=hosts, **options)
        self._shards = [Shard(host, self._on_message, self._on_lost, self._on_back) for host in decode_hosts(hosts)]
        # All specific channels of this process share one topic: a socket costs no subscription.
        self._own = f"{uuid.uuid4().hex[:16]}!"
        self._own_topic = f"{self.prefix}__own__{self._own}".encode()
        self._groups: dict[bytes, Recipients] = {}
        """By topic."""
        self.streams = Streams(self.prefix, self._shard_of, self.channel_layer.publication_serializer, self._shards)
        self.presence = Presence(self.prefix, self._shard_of, self.channel_layer.publication_serializer)
        self.deposits = Deposits(self.prefix, self._shard_of)
        self.holdings = Holdings(self.prefix, self._shard_of)
        self._queues = Queues(self.prefix, self._shard_of, self.channel_layer.limits)
        self.callbacks: dict[Callable[[], None], None] = {}
        """In the order in which they are called."""
        self._archive: Callable[[str], None] | None = None
        self._log = SparseLog(logger)

    def _shard_of(self, name: str) -> Shard:
        shard: Shard = self._shards[_consistent_hash(name, len(self._shards))]
        return shard

    def topic_of(self, group: str) -> bytes:
        """Return the topic of a group."""
        # The braces are Redis Cluster's hash tag: all keys of a group live on one node.
        return f"{self.prefix}__group__{{{group}}}".encode()

    # -- channels -----------------------------------------------------------------------------------

    async def new_channel(self, prefix: str = "specific.") -> str:
        """Return a new channel of this process. Raise Unavailable."""
        channel = f"{self.prefix}{prefix}{self._own}{uuid.uuid4().hex}"
        self.channels[channel] = asyncio.Queue()
        try:
            await self._confirm(self._shard_of(self._own), self._own_topic)
        except BaseException:
            del self.channels[channel]
            raise
        return channel

    async def send(self, channel: str, message: Any) -> None:
        """Send a message to a channel of any process. Raise Unavailable, or ChannelFull for a general channel."""
        payload = self.channel_layer.serialize(message)
        process, mark, _ = channel.partition("!")
        if mark:
            own = process[-16:] + mark
            topic = f"{self.prefix}__own__{own}".encode()
            await self._shard_of(own).publish(topic, channel.encode() + b"\0" + payload)
        else:
            await self._queues.send(channel, payload)

    async def receive(self, channel: str) -> Any:
        """Return the next message of a channel that can be read: a stranger's must not end the consumer.

        When the receive of a specific channel is cancelled, the channel is gone, as its consumer is.
        """
        while True:
            payload = await (self._receive_own(channel) if "!" in channel else self._queues.receive(channel))
            try:
                return self.channel_layer.deserialize(payload)
            except Exception:
                logger.exception("left out a message to %s that can't be read", channel)

    async def _receive_own(self, channel: str) -> bytes:
        try:
            if channel not in self.channels:
                self.channels[channel] = asyncio.Queue()
                await self._confirm(self._shard_of(self._own), self._own_topic)
            payload: bytes = await self.channels[channel].get()
        except (asyncio.CancelledError, GeneratorExit, Unavailable):
            self._forget(channel)
            raise
        return payload

    def _forget(self, channel: str) -> None:
        """Drop a channel and its memberships: a consumer that forgot group_discard leaves nothing behind."""
        self.channels.pop(channel, None)
        for topic, recipients in [(t, r) for t, r in self._groups.items() if channel in r.channels]:
            recipients.channels.discard(channel)
            self._release(topic, recipients)

    # -- groups ---------------------------------------------------------------------------------------

    async def group_add(self, group: str, channel: str) -> None:
        """Add a channel of this process to a group; in force when it returns. Raise Unavailable."""
        if channel not in self.channels:
            raise RuntimeError(
                "You can only call group_add() on channels that exist in-process.\n"
                "Consumers are encouraged to use the common pattern:\n"
                f"   self.channel_layer.group_add({group!r}, self.channel_name)"
            )
        recipients = await self._enter(group)
        recipients.channels.add(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Remove a channel from a group; does nothing if it is not in it."""
        topic = self.topic_of(group)
        recipients = self._groups.get(topic)
        if recipients is not None:
            recipients.channels.discard(channel)
            self._release(topic, recipients)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send an event to every channel and every hub in a group. Raise Unavailable."""
        await self._shard_of(group).publish(self.topic_of(group), self.channel_layer.serialize(message))

    async def subscribe(self, group: str, receiver: Receiver, on_part: PartReceiver | None = None) -> None:
        """See FanoutLayer."""
        recipients = await self._enter(group)
        recipients.receivers[receiver] = on_part

    def unsubscribe(self, group: str, receiver: Receiver) -> None:
        """See FanoutLayer."""
        topic = self.topic_of(group)
        recipients = self._groups.get(topic)
        if recipients is not None and receiver in recipients.receivers:
            del recipients.receivers[receiver]
            self._release(topic, recipients)

    async def publish(self, group: str, data: bytes, value_key: str | None = None) -> None:
        """See FanoutLayer."""
        publication = Publication(group, data, time.time(), value_key=value_key)
        payload = envelope.encode(publication, self.channel_layer.publication_serializer)
        await self._shard_of(group).publish(self.topic_of(group), payload)

    async def _enter(self, group: str) -> Recipients:
        """Return the group's recipients, subscribed in Redis; the caller adds itself before it awaits again."""
        topic = self.topic_of(group)
        recipients = self._groups.get(topic)
        if recipients is None:
            recipients = self._groups[topic] = Recipients(group, self.channel_layer, self._put, self._log)
        recipients.joining += 1
        try:
            await self._confirm(self._shard_of(group), topic)
        except BaseException:
            recipients.joining -= 1
            self._release(topic, recipients)
            raise
        recipients.joining -= 1
        return recipients

    def _release(self, topic: bytes, recipients: Recipients) -> None:
        if recipients.empty and self._groups.get(topic) is recipients:
            del self._groups[topic]
            self._shard_of(recipients.name).reader.unsubscribe(topic)

    async def _confirm(self, shard: Shard, topic: bytes) -> None:
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT):
                await shard.reader.subscribe(topic)
        except TimeoutError:
            raise Unavailable(
                f"Redis did not confirm the membership within {CONFIRM_TIMEOUT:g} s; try again."
            ) from None

    # -- the archive ----------------------------------------------------------------------------------

    async def watch_archive(self, callback: Callable[[str], None]) -> None:
        """See RedisChannelLayer."""
        self._archive = callback
        await asyncio.gather(*(self._confirm(shard, self.streams.archive_topic) for shard in self._shards))

    @property
    def hears_all(self) -> bool:
        """See RedisChannelLayer."""
        return all(shard.reader.connected for shard in self._shards)

    async def durable_groups(self) -> AsyncIterator[str]:
        """See RedisChannelLayer."""
        for shard in self._shards:
            async for group in self.streams.groups(shard):
                yield group

    # -- what arrives -----------------------------------------------------------------------------------

    def _on_message(self, topic: bytes, payload: bytes) -> None:
        recipients = self._groups.get(topic)
        if recipients is not None:
            recipients.take(payload)
        elif topic == self._own_topic:
            channel, _, message = payload.partition(b"\0")
            self._put(channel.decode(), message)
        elif topic == self._queues.topic:
            self._queues.wake(payload.decode())
        elif topic == self.streams.archive_topic and self._archive is not None:
            self._archive(payload.decode())

    def _put(self, channel: str, payload: bytes) -> None:
        queue = self.channels.get(channel)
        if queue is not None:
            queue.put_nowait(payload)

    def _on_lost(self) -> None:
        _tell(self.on_disconnect)

    def _on_back(self) -> None:
        _tell(self.on_reconnect)
        for callback in tuple(self.callbacks):
            _tell(callback)

    # -- the end ------------------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Make the layer like new and close its connections; it opens them again when used."""
        self.channels.clear()
        self._groups.clear()
        await self._queues.aclose()
        for shard in self._shards:
            await shard.aclose()


def _tell(callback: Callable[[], object] | None) -> None:
    """Call a callback of the user; an error in it must not end the feed."""
    if callback is not None:
        try:
            callback()
        except Exception:
            logger.exception("on_disconnect or on_reconnect of the channel layer failed")
