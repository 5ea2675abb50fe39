"""How a publication, or a part of presence, travels through Redis: a marker, a version, and the serialized body.

The marker is a byte that no MessagePack message begins with, so that events of Channels' `group_send`
and publications share one topic. Replicas of two versions live side by side during a deploy:
a body of an unknown version is not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from fanout.positions import Position
from fanout.presence.view import Part
from fanout.publication import Publication

if TYPE_CHECKING:
    from typing import Any

MARKER = b"\xc1"  # never used by MessagePack; encrypted messages begin with their base64 text
VERSION = 1
DURABLE = 2
"""The same body behind "epoch:offset:", written by append.lua."""
PART = 3
"""What a process says of its members: a serialized Part."""
PART_HEAD = MARKER + bytes((PART,))


class Serializer(Protocol):
    """channels_redis' serializer: MessagePack, encrypted where keys are configured."""

    def serialize(self, message: Any) -> bytes:
        """Return the message as bytes."""

    def deserialize(self, message: bytes) -> Any:
        """Return the message of the bytes."""


class UnknownVersion(Exception):
    """The publication was written by a newer replica; `args[0]` is its version."""


def is_part(payload: bytes) -> bool:
    """Whether a payload of a group's topic is a part of its presence."""
    return payload[:2] == PART_HEAD


def is_publication(payload: bytes) -> bool:
    """Whether a payload of a group's topic that is no part is a publication (else: an event of `group_send`)."""
    return payload[:1] == MARKER


def encode_part(part: Part, serializer: Serializer) -> bytes:
    """Return a part's body."""
    return serializer.serialize([part.process, part.number, part.count, list(part.members.items())])


def decode_part(body: bytes, serializer: Serializer) -> Part:
    """Return the part of a body, which is what follows PART_HEAD."""
    process, number, count, members, *_ = serializer.deserialize(body)
    return Part(process, number, count, dict(members))


def encode_body(data: bytes, published_at: float, serializer: Serializer, value_key: str | None = None) -> bytes:
    """Return the body of an envelope; encrypted where keys are configured."""
    return serializer.serialize([published_at, data] if value_key is None else [published_at, data, value_key])


def encode(publication: Publication, serializer: Serializer) -> bytes:
    """Return an ephemeral publication's payload for Redis."""
    body = encode_body(publication.data, publication.published_at, serializer, publication.value_key)
    return MARKER + bytes((VERSION,)) + body


def decode(group: str, payload: bytes, serializer: Serializer) -> Publication:
    """Return the publication of a payload. Raise UnknownVersion."""
    version = payload[1]
    if version == VERSION:
        return decode_body(group, payload[2:], serializer)
    if version == DURABLE:
        epoch, offset, body = payload[2:].split(b":", 2)
        return decode_body(group, body, serializer, Position(epoch.decode(), int(offset)))
    raise UnknownVersion(version)


def decode_body(group: str, body: bytes, serializer: Serializer, position: Position | None = None) -> Publication:
    """Return the publication of an envelope's body, or of a stream entry's."""
    # A later version may say more behind these.
    published_at, data, *more = cast("tuple[float, bytes, *tuple[str, ...]]", serializer.deserialize(body))
    return Publication(group, data, published_at, position, more[0] if more else None)
