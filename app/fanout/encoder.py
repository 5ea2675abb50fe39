"""What a protocol makes of a publication: the payload of one frame, shared by all of its sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fanout.positions import Position
    from fanout.presence.view import Change
    from fanout.publication import Publication


class Encoder(Protocol):
    """Makes the payloads of frames; one object a protocol, so that all of its sockets share the bytes."""

    def publication(self, publication: Publication, /) -> bytes:
        """Return the payload of one message."""

    def reset(self, group: str, position: Position, reason: str, /) -> bytes | None:
        """Return the payload that tells a reset; None if the protocol has no word for it."""

    def presence(self, group: str, change: Change, /) -> bytes | None:
        """Return the payload that tells who came and went; None if the protocol has no word for it."""
