"""The channel layer within one process, with the contract of the one over Redis: for tests and `runserver`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer as ChannelsInMemoryChannelLayer

from fanout.layers.events import event_of, publication_of
from fanout.layers.memory_holdings import MemoryHoldings
from fanout.layers.memory_presence import MemoryPresence
from fanout.layers.memory_queues import MemoryQueues
from fanout.layers.memory_streams import MemoryStreams
from fanout.positions import Position
from fanout.publication import Publication

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping

    from fanout.history import History
    from fanout.positions import Top
    from fanout.presence.view import Part, PartReceiver
    from fanout.publication import Receiver

    _Subscriber = tuple[AbstractEventLoop, Receiver]


class InMemoryChannelLayer(ChannelsInMemoryChannelLayer):
    """A Channels layer for `CHANNEL_LAYERS` that needs no Redis. Other processes do not hear it."""

    def __init__(self, *, channel_capacity: dict[Any, int] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.channel_capacity = self.compile_capacities(channel_capacity or {})
        self._receivers: dict[str, dict[_Subscriber, PartReceiver | None]] = defaultdict(dict)
        self._waiting: dict[str, AbstractEventLoop] = {}
        self._queues = MemoryQueues(self)
        self._streams = MemoryStreams()
        self._presence = MemoryPresence()
        self._holdings = MemoryHoldings()
        self._deposits: dict[str, tuple[float, bytes]] = {}

    # -- channels -------------------------------------------------------------------------------------

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Send a message to a channel; its receiver may wait on another event loop, as of a thread."""
        self.require_valid_channel_name(channel)
        if "!" not in channel:
            self._queues.send(channel, deepcopy(message))
            return
        loop = self._waiting.get(channel)
        if loop is None or loop is asyncio.get_running_loop() or loop.is_closed():
            await super().send(channel, message)
        else:
            loop.call_soon_threadsafe(self._put, channel, deepcopy(message))

    def _put(self, channel: str, message: dict[str, Any]) -> None:
        # Channels' send never waits: one step runs it to its end.
        with contextlib.suppress(StopIteration, ChannelFull):
            super().send(channel, message).send(None)

    async def receive(self, channel: str) -> Any:
        """Return the next message; when a specific channel's receive is cancelled, it is gone, as its consumer is."""
        self.require_valid_channel_name(channel)
        if "!" not in channel:
            return await self._queues.receive(channel)
        self._waiting[channel] = asyncio.get_running_loop()
        try:
            return await super().receive(channel)
        except (asyncio.CancelledError, GeneratorExit):
            self.channels.pop(channel, None)
            self._remove_from_groups(channel)
            raise
        finally:
            self._waiting.pop(channel, None)

    # -- the hub's feed ---------------------------------------------------------------------------------

    async def subscribe(self, group: str, receiver: Receiver, on_part: PartReceiver | None = None) -> None:
        """See FanoutLayer."""
        self.require_valid_group_name(group)
        self._receivers[group][asyncio.get_running_loop(), receiver] = on_part

    def unsubscribe(self, group: str, receiver: Receiver) -> None:
        """See FanoutLayer."""
        entry = (asyncio.get_running_loop(), receiver)
        if entry in self._receivers.get(group, ()):
            del self._receivers[group][entry]
            if not self._receivers[group]:
                del self._receivers[group]

    async def publish(self, group: str, data: bytes, value_key: str | None = None) -> None:
        """See FanoutLayer."""
        self.require_valid_group_name(group)
        await self._send_to_all(Publication(group, data, time.time(), value_key=value_key))

    async def append(self, group: str, data: bytes, history: History, key: str | None = None) -> Position:
        """See FanoutLayer."""
        self.require_valid_group_name(group)
        placed = self._streams.append(Publication(group, data, time.time()), history, key)
        if isinstance(placed, Position):
            return placed
        await self._send_to_all(placed)
        assert placed.position is not None  # noqa: S101 - append gives it
        return placed.position

    async def top(self, group: str) -> Top:
        """See FanoutLayer."""
        return self._streams.top(group)

    async def tops(self, kind: str) -> dict[str, Top]:
        """See FanoutLayer."""
        return self._streams.tops(kind)

    async def read(self, group: str, after: Position, through: int) -> list[Publication]:
        """See FanoutLayer."""
        return self._streams.read(group, after, through)

    async def announce(self, group: str, part: Part) -> None:
        """See FanoutLayer."""
        self._presence.announce(group, part)
        for entry, on_part in tuple(self._receivers.get(group, {}).items()):
            if on_part is not None and not entry[0].is_closed():
                entry[0].call_soon_threadsafe(on_part, part)

    async def presence(self, group: str) -> list[Part]:
        """See FanoutLayer."""
        return self._presence.presence(group)

    async def forget(self, group: str, part: Part) -> None:
        """See FanoutLayer."""
        self._presence.forget(group, part)

    async def beat(self, process: str, stale_after: float) -> set[str]:
        """See FanoutLayer."""
        return self._presence.beat(process, stale_after)

    async def claim(self, process: str, subject: str, own: int, limit: int, stale_after: float) -> bool:
        """See FanoutLayer."""
        return self._holdings.claim(process, subject, own, limit, stale_after)

    async def hold(self, process: str, counts: Mapping[str, int], stale_after: float) -> int:
        """See FanoutLayer."""
        return self._holdings.hold(process, counts, stale_after)

    async def deposit(self, name: str, value: bytes, seconds: float) -> None:
        """See FanoutLayer."""
        now = time.monotonic()
        self._deposits = {each: kept for each, kept in self._deposits.items() if kept[0] > now}
        self._deposits[name] = now + seconds, value

    async def collect(self, name: str) -> bytes | None:
        """See FanoutLayer."""
        until, value = self._deposits.pop(name, (0.0, b""))
        return value if until > time.monotonic() else None

    def on_back(self, callback: Callable[[], None]) -> Callable[[], None]:  # noqa: ARG002 - never called
        """See FanoutLayer. There is no connection to lose."""
        return lambda: None

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send an event to every channel and every hub in a group."""
        await super().group_send(group, message)
        if group in self._receivers:
            self._deliver(publication_of(group, message))

    async def flush(self) -> None:
        """Make the layer like new."""
        await super().flush()
        self._receivers.clear()
        self._queues.clear()
        self._streams.clear()
        self._presence.clear()
        self._holdings.clear()
        self._deposits.clear()

    async def _send_to_all(self, publication: Publication) -> None:
        self._deliver(publication)
        if self.groups.get(publication.group):
            await super().group_send(publication.group, event_of(publication))

    def _deliver(self, publication: Publication) -> None:
        # As over Redis: never within the publisher's own call, and on the receiver's own loop.
        for entry in tuple(self._receivers.get(publication.group, ())):
            loop, _ = entry
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._hand_over, entry, publication)

    def _hand_over(self, entry: _Subscriber, publication: Publication) -> None:
        """Call the receiver, unless it has unsubscribed since."""
        if entry in self._receivers.get(publication.group, ()):
            entry[1](publication)
