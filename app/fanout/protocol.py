"""The frames of `fanout.v1`: what a client may say, and what it is told. JSON text frames.

`id` is chosen by the client and echoed in the answer to its frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanout.errors import BadFrame, UnknownType

if TYPE_CHECKING:
    from fanout.errors import FanoutError
    from fanout.publication import Publication

SUBPROTOCOL = "fanout.v1"


class Join(msgspec.Struct, tag="join", frozen=True):
    """Subscribe this socket to a group."""

    group: str
    id: int = 0


class Leave(msgspec.Struct, tag="leave", frozen=True):
    """End this socket's subscription."""

    group: str
    id: int = 0


class Publish(msgspec.Struct, tag="publish", frozen=True):
    """Publish data to a group."""

    group: str
    data: Any
    id: int = 0


Frame = Join | Leave | Publish

_decoder: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)
_any = msgspec.json.Decoder()
encode = msgspec.json.Encoder().encode


def decode(text: str | bytes) -> Frame:
    """Return a client's frame. Raise BadFrame or UnknownType with a sentence."""
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        if "$.type" in str(error) or "missing required field `type`" in str(error):
            raise UnknownType("The frame's `type` must be join, leave or publish.") from None
        raise BadFrame(f"The frame does not fit its type: {error}.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadFrame(f"The frame is not JSON: {error}.") from None


def id_of(text: str | bytes) -> int | None:
    """Return the `id` of a frame that was refused, if it can be found, so that the client knows which."""
    try:
        frame = _any.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    value = frame.get("id") if isinstance(frame, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def joined(frame: Join, replica: str) -> bytes:
    """The client is in the group: every publication from now on follows. `replica` is who answered."""
    return encode({"type": "joined", "id": frame.id, "group": frame.group, "replica": replica})


def left(frame: Leave) -> bytes:
    """No publication of the group follows."""
    return encode({"type": "left", "id": frame.id, "group": frame.group})


def ack(frame: Publish) -> bytes:
    """Redis has taken the publication."""
    return encode({"type": "ack", "id": frame.id})


def error(refused: FanoutError, frame_id: int | None) -> bytes:
    """The frame was refused; nothing happened."""
    return encode({"type": "error", "id": frame_id, "code": refused.code, "message": str(refused)})


def publication(message: Publication) -> bytes:
    """One message of a group; the same bytes for all of its subscribers."""
    return b'{"type":"publication","group":"%b","data":%b}' % (message.group.encode(), message.data)
