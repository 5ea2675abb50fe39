"""Frames of `fanout.v1` that remember what they are: the same bytes for event streams and for polls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from fanout import protocol

if TYPE_CHECKING:
    from fanout.positions import Position
    from fanout.presence.view import Change
    from fanout.publication import Publication

PUBLICATION, RESET, PRESENCE, JOINED = "publication", "reset", "presence", "joined"


class Parcel(bytes):
    """A frame: its JSON, its type, its group, and the position that a client has reached with it, if it has one."""

    kind: str
    group: str
    position: Position | None
    publication: Publication | None

    @classmethod
    def of(
        cls,
        frame: bytes,
        kind: str,
        group: str,
        position: Position | None = None,
        publication: Publication | None = None,
    ) -> Self:
        """Return the frame as a parcel."""
        parcel = cls(frame)
        parcel.kind, parcel.group, parcel.position, parcel.publication = kind, group, position, publication
        return parcel


class ParcelEncoder:
    """Makes parcels, once for all streams and polls of the process; see Encoder."""

    def publication(self, publication: Publication) -> Parcel:
        """One message."""
        frame = protocol.ENCODER.publication(publication)
        return Parcel.of(frame, PUBLICATION, publication.group, publication.position, publication)

    def reset(self, group: str, position: Position, reason: str) -> Parcel:
        """The client goes on behind `position`."""
        return Parcel.of(protocol.ENCODER.reset(group, position, reason), RESET, group, position)

    def presence(self, group: str, change: Change) -> Parcel:
        """Who came and went."""
        return Parcel.of(protocol.ENCODER.presence(group, change), PRESENCE, group)


ENCODER = ParcelEncoder()
