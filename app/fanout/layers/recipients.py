"""Where this process takes what comes for one group: to channels of consumers, and to receivers of hubs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanout.layers import envelope
from fanout.layers.events import event_of, publication_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.presence.view import PartReceiver
    from fanout.publication import Publication, Receiver
    from fanout.sparse_log import SparseLog


class Recipients:
    """Who is in one group in this process, by what each understands: channels get events, receivers publications."""

    __slots__ = ("_layer", "_log", "_put", "channels", "joining", "name", "receivers")

    def __init__(self, name: str, layer: Any, put: Callable[[str, bytes], None], log: SparseLog) -> None:
        """`layer` has the two serializers; `put` hands an event's bytes to a channel."""
        self.name = name
        self._layer = layer
        self._put = put
        self._log = log
        self.channels: set[str] = set()
        self.receivers: dict[Receiver, PartReceiver | None] = {}
        self.joining = 0

    @property
    def empty(self) -> bool:
        """Whether nobody is here or about to be."""
        return not (self.channels or self.receivers or self.joining)

    def take(self, payload: bytes) -> None:
        """Hand out what came on the group's topic."""
        if envelope.is_part(payload):
            self._take_part(payload)
            return
        try:
            publication, event = self._both_forms(payload)
        except envelope.UnknownVersion as unknown:
            self._log.warning(
                "left out a publication of %s in version %s: a newer replica wrote it; finish the deploy",
                self.name,
                unknown,
            )
            return
        if publication is not None:
            for receiver in tuple(self.receivers):
                receiver(publication)
        if event is not None:
            for channel in self.channels:
                self._put(channel, event)

    def _take_part(self, payload: bytes) -> None:
        part = envelope.decode_part(payload[len(envelope.PART_HEAD) :], self._layer.publication_serializer)
        for on_part in tuple(self.receivers.values()):
            if on_part is not None:
                on_part(part)

    def _both_forms(self, payload: bytes) -> tuple[Publication | None, bytes | None]:
        """Return what receivers get and what channels get; None where nobody wants it."""
        if not envelope.is_publication(payload):
            event = self._layer.deserialize(payload) if self.receivers else None
            return publication_of(self.name, event) if event else None, payload
        publication = envelope.decode(self.name, payload, self._layer.publication_serializer)
        return publication, self._layer.serialize(event_of(publication)) if self.channels else None
