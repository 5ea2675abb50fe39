"""General channels in Redis: each message waits, bounded and for a while, for exactly one receiver of the fleet.

Wake-ups go over the subscribed connection that there is anyway, and a message is taken by a script whose
repetition is the same take: no connection blocks, and an answer that is lost loses no message. A blocking
pop could not say whether it popped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from typing import TYPE_CHECKING, Any

from channels.exceptions import ChannelFull
from redis.exceptions import RedisError

from fanout.errors import Unavailable
from fanout.layers import scripts
from fanout.layers.refused import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from channels.layers import BaseChannelLayer

    from fanout.layers.shard import Shard

logger = logging.getLogger(__name__)

VERSION = 1
"""Of what waits in Redis. It is part of the keys: a worker never takes what it can't read, it waits for a newer one."""
POLL = 1.0
"""Seconds after which a receiver looks by itself: a wake-up that went astray delays a message no longer."""
WAITING = 60.0
"""Seconds after which Redis forgets who waits: many polls, and nothing is left of workers that are gone."""
CLOSE_TIMEOUT = 2.0
"""Seconds for giving back at the end what was being taken; Redis may be away."""


class Queues:
    """Sends to the general channels of the fleet, and receives from them for one event loop."""

    def __init__(self, prefix: str, shard_of: Callable[[str], Shard], limits: BaseChannelLayer) -> None:
        self._prefix = prefix
        self._shard_of = shard_of
        self._limits = limits
        self._own = uuid.uuid4().hex[:16]
        self._receivers: dict[str, _Receiver] = {}
        self.topic = f"{prefix}__wake__{self._own}".encode()
        """The topic on which this loop's receivers are woken, each by its channel's name."""

    async def send(self, channel: str, payload: bytes) -> None:
        """Put a message at the end of a channel's queue. Raise ChannelFull, or Unavailable: it may be there then."""
        self._limits.require_valid_channel_name(channel)
        lifetime, capacity = _ms(self._limits.expiry), self._limits.get_capacity(channel)
        keys = self._keys(channel, "queue", "waiting")
        if not await _run(scripts.send, self._shard_of(channel), keys, [channel, payload, lifetime, capacity]):
            raise ChannelFull(f"{capacity} messages wait in {channel}: start more workers, or raise its capacity.")

    async def receive(self, channel: str) -> bytes:
        """Return the next message of a channel; waits also while Redis is away.

        A message that was on its way to a receiver that is cancelled goes back to where it was.
        """
        self._limits.require_valid_channel_name(channel)
        receiver = self._receivers.get(channel)
        if receiver is None:
            self._forget_idle()
            receiver = self._receivers[channel] = self._new_receiver(channel)
        return await receiver.next()

    def wake(self, channel: str) -> None:
        """Let the receiver of a channel look."""
        receiver = self._receivers.get(channel)
        if receiver is not None:
            receiver.woken.set()

    async def aclose(self) -> None:
        """Give back what was being taken, and forget every receiver."""
        leaving = [receiver.leaving for receiver in self._receivers.values() if receiver.leaving is not None]
        self._receivers.clear()
        if leaving:
            _, late = await asyncio.wait(leaving, timeout=CLOSE_TIMEOUT)
            for task in late:
                task.cancel()

    def _new_receiver(self, channel: str) -> _Receiver:
        # A new one has a new key for what it takes: numbers begin at 1 again.
        keys = [
            *self._keys(channel, "queue", "waiting"),
            *self._keys(channel, "taken", suffix=f"{self._own}{uuid.uuid4().hex[:8]}"),
        ]
        return _Receiver(self._shard_of(channel), channel, keys, self.topic, self._limits.expiry)

    def _forget_idle(self) -> None:
        """Forget receivers of channels that nobody reads any more; Redis has forgotten their last message, too."""
        oldest = asyncio.get_running_loop().time() - self._limits.expiry
        for name in [name for name, receiver in self._receivers.items() if receiver.idle_since < oldest]:
            del self._receivers[name]

    def _keys(self, channel: str, *kinds: str, suffix: str = "") -> list[bytes]:
        # The braces are Redis Cluster's hash tag.
        return [f"{self._prefix}__{kind}{VERSION}__{{{channel}}}{suffix}".encode() for kind in kinds]


class _Receiver:
    """Takes the messages of one channel, one at a time, for all who wait for them on this loop."""

    def __init__(self, shard: Shard, channel: str, keys: list[bytes], topic: bytes, expiry: float) -> None:
        self._shard = shard
        self._channel = channel
        self._keys = keys
        self._topic = topic
        self._expiry = expiry
        self._turn = asyncio.Lock()
        self._users = 0
        self._number = 1
        self._last_used = 0.0
        self._warned = False
        self.woken = asyncio.Event()
        self.leaving: asyncio.Task[None] | None = None

    @property
    def idle_since(self) -> float:
        """Time of the loop since when nobody waits; infinite while somebody does."""
        return float("inf") if self._users or self.leaving is not None else self._last_used

    async def next(self) -> bytes:
        """Return the next message."""
        self._users += 1
        try:
            async with self._turn:
                return await self._next()
        finally:
            self._users -= 1
            self._last_used = asyncio.get_running_loop().time()

    async def _next(self) -> bytes:
        if self.leaving is not None:
            await asyncio.shield(self.leaving)
        try:
            await self._subscribe()
            while (payload := await self._take()) is None:
                await self._sleep()
        except asyncio.CancelledError:
            number, self._number = self._number, self._number + 1
            self.leaving = asyncio.create_task(self._leave(number))
            raise
        self._number += 1
        return payload

    async def _subscribe(self) -> None:
        """Hear wake-ups; without them it goes by polling, until Redis has confirmed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self._shard.reader.subscribe(self._topic)

    async def _sleep(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self.woken.wait()

    async def _take(self) -> bytes | None:
        self.woken.clear()  # before it looks: a wake-up from now on is for what it may not have seen
        arguments = [self._number, self._topic, _ms(WAITING), _ms(self._expiry)]
        try:
            payload: bytes | None = await _run(scripts.take, self._shard, self._keys, arguments)
        except Unavailable as error:
            if not self._warned:
                logger.warning("can't receive from %s, trying until it works: %s", self._channel, error)
            self._warned = True
            return None
        self._warned = False
        return payload

    async def _leave(self, number: int) -> None:
        """Give up a take; tries until Redis knows, or the message has expired anyway."""
        arguments = [number, self._topic, self._channel, _ms(self._expiry)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._expiry):
                while not await self._left(arguments):  # noqa: ASYNC110 - Redis has no event for "back"
                    await asyncio.sleep(POLL)
        self.leaving = None

    async def _left(self, arguments: list[Any]) -> bool:
        try:
            await _run(scripts.leave, self._shard, self._keys, arguments)
        except Unavailable:
            return False
        return True


async def _run(script: scripts.Script, shard: Shard, keys: list[bytes], arguments: list[Any]) -> Any:
    try:
        return await script.run(shard.commands, keys, arguments)
    except RedisError as error:
        raise refused("keep what is told to a channel", error) from error


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
