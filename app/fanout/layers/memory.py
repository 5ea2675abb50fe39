"""The channel layer within one process, with the contract of the one over Redis: for tests and `runserver`."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from channels.layers import InMemoryChannelLayer as ChannelsInMemoryChannelLayer

from fanout.layers.events import event_of, publication_of
from fanout.publication import Publication

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from fanout.publication import Receiver


class InMemoryChannelLayer(ChannelsInMemoryChannelLayer):
    """A Channels layer for `CHANNEL_LAYERS` that needs no Redis. Other processes do not hear it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._receivers: dict[str, list[tuple[AbstractEventLoop, Receiver]]] = defaultdict(list)

    async def subscribe(self, group: str, receiver: Receiver) -> None:
        """See FanoutLayer."""
        self.require_valid_group_name(group)
        self._receivers[group].append((asyncio.get_running_loop(), receiver))

    def unsubscribe(self, group: str, receiver: Receiver) -> None:
        """See FanoutLayer."""
        entry = (asyncio.get_running_loop(), receiver)
        if entry in self._receivers.get(group, ()):
            self._receivers[group].remove(entry)
            if not self._receivers[group]:
                del self._receivers[group]

    async def publish(self, group: str, data: bytes) -> None:
        """See FanoutLayer."""
        self.require_valid_group_name(group)
        publication = Publication(group, data, time.time())
        self._deliver(publication)
        if self.groups.get(group):
            await super().group_send(group, event_of(publication))

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send an event to every channel and every hub in a group."""
        await super().group_send(group, message)
        if group in self._receivers:
            self._deliver(publication_of(group, message))

    async def flush(self) -> None:
        """Make the layer like new."""
        await super().flush()
        self._receivers.clear()

    def _deliver(self, publication: Publication) -> None:
        # As over Redis: never within the publisher's own call, and on the receiver's own loop.
        for loop, receiver in self._receivers.get(publication.group, ()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(receiver, publication)
