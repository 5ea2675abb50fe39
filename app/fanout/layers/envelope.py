"""How a publication travels through Redis: a marker, a version, and the serialized body.

The marker is a byte that no MessagePack message begins with, so that events of Channels' `group_send`
and publications share one Redis channel. Replicas of two versions live side by side during a deploy:
a body of an unknown version is not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from fanout.publication import Publication

if TYPE_CHECKING:
    from typing import Any

MARKER = b"\xc1"  # never used by MessagePack; encrypted messages begin with their base64 text
VERSION = 1


class Serializer(Protocol):
    """channels_redis' serializer: MessagePack, encrypted where keys are configured."""

    def serialize(self, message: Any) -> bytes:
        """Return the message as bytes."""

    def deserialize(self, message: bytes) -> Any:
        """Return the message of the bytes."""


class UnknownVersion(Exception):
    """The publication was written by a newer replica; `args[0]` is its version."""


def is_publication(payload: bytes) -> bool:
    """Whether a payload of a group's Redis channel is a publication (else: an event of `group_send`)."""
    return payload[:1] == MARKER


def encode(publication: Publication, serializer: Serializer) -> bytes:
    """Return the payload for Redis."""
    body = serializer.serialize([publication.published_at, publication.data])
    return MARKER + bytes((VERSION,)) + body


def decode(group: str, payload: bytes, serializer: Serializer) -> Publication:
    """Return the publication of a payload. Raise UnknownVersion."""
    if payload[1] != VERSION:
        raise UnknownVersion(payload[1])
    published_at, data = cast("tuple[float, bytes]", serializer.deserialize(payload[2:]))
    return Publication(group, data, published_at)
