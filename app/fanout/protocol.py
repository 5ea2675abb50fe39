"""The frames of `fanout.v1`: what a client may say, and what it is told. JSON text frames.

`id` is chosen by the client and echoed in the answer to its frame; null there if the frame had none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from fanout.errors import BadFrame, UnknownType
from fanout.positions import EPOCH, OFFSET_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanout.errors import FanoutError
    from fanout.members import Entry
    from fanout.positions import Position
    from fanout.presence.view import Change, View
    from fanout.publication import Publication

SUBPROTOCOL = "fanout.v1"

INFO_LIMIT = 256
"""Bytes of JSON that a client may say of itself: a name, a colour. Everybody in the group gets it."""
KEY_LIMIT = 64
"""Characters of an idempotency key: a UUID has 36."""
LAST_LIMIT = 1000
"""Publications that a join may ask for without a position."""
Offset = Annotated[int, msgspec.Meta(ge=0, le=OFFSET_LIMIT)]
Epoch = Annotated[str, msgspec.Meta(pattern=f"^{EPOCH.pattern}$")]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=KEY_LIMIT)]


TYPES = "join, leave, publish or authenticate"


class Since(msgspec.Struct, frozen=True):
    """The position behind which a client wants to go on."""

    epoch: Epoch
    offset: Offset


class Join(msgspec.Struct, tag="join", frozen=True):
    """Subscribe this socket to a group, from now on; in a durable group from a position or from the last n."""

    group: str
    id: int | None = None
    since: Since | None = None
    last: Annotated[int, msgspec.Meta(ge=0, le=LAST_LIMIT)] = 0
    presence: bool = False
    info: Any = None


class Leave(msgspec.Struct, tag="leave", frozen=True):
    """End this socket's subscription."""

    group: str
    id: int | None = None


class Publish(msgspec.Struct, tag="publish", frozen=True):
    """Publish data to a group."""

    group: str
    data: Any
    id: int | None = None
    key: Key | None = None


class Authenticate(msgspec.Struct, tag="authenticate", frozen=True):
    """Be the user of a ticket, from now on."""

    ticket: str
    id: int | None = None


class Named(msgspec.Struct, frozen=True):
    """What a frame that is refused is known by: all else is skipped, nothing of it is made."""

    id: int | None = None


Frame = Join | Leave | Publish | Authenticate

_decoder: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)
_named: msgspec.json.Decoder[Named] = msgspec.json.Decoder(Named)
encode = msgspec.json.Encoder().encode


def decode(text: str | bytes) -> Frame:
    """Return a client's frame. Raise BadFrame or UnknownType with a sentence."""
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        if "missing required field `type`" in str(error):
            raise BadFrame(f"The frame has no `type`: it must be {TYPES}.") from None
        if "$.type" in str(error):
            raise UnknownType(f"The frame's `type` must be {TYPES}.") from None
        raise BadFrame(f"The frame does not fit its type: {error}.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadFrame(f"The frame is not JSON: {error}.") from None


def id_of(text: str | bytes) -> int | None:
    """Return the `id` of a frame that was refused, if it can be found, so that the client knows which."""
    try:
        return _named.decode(text).id
    except (msgspec.DecodeError, RecursionError):
        return None


def joined(frame: Join, replica: str, entry: Entry) -> bytes:
    """The client is in the group: every publication from now on follows. `replica` is who answered.

    In a durable group: `epoch` and `offset` are the position behind the `recovered` publications that follow
    first; `reset` says why a position could not be gone on from. Where the kind keeps presence: `member` is the
    client's own name, `presence` who else is there, if it asked.
    """
    answer: dict[str, Any] = {"type": "joined", "id": frame.id, "group": frame.group, "replica": replica}
    if entry.position is not None:
        answer |= {
            "epoch": entry.position.epoch,
            "offset": entry.position.offset,
            "recovered": len(entry.recovered) + entry.following,
        }
    if entry.reset is not None:
        answer["reset"] = entry.reset
    if entry.subscription.member is not None:
        answer["member"] = entry.subscription.member
    if entry.view is not None:
        answer["presence"] = there(entry.view)
    return encode(answer)


def left(frame: Leave) -> bytes:
    """No publication of the group follows."""
    return encode({"type": "left", "id": frame.id, "group": frame.group})


def authenticated(frame: Authenticate) -> bytes:
    """The client is the ticket's user."""
    return encode({"type": "authenticated", "id": frame.id})


def ack(frame: Publish, position: Position | None) -> bytes:
    """Redis has taken the publication; in a durable group it is in the stream, at this position."""
    if position is None:
        return encode({"type": "ack", "id": frame.id})
    return encode({"type": "ack", "id": frame.id, "epoch": position.epoch, "offset": position.offset})


def reconnect(retry: int) -> bytes:
    """The replica is about to close with 1012: come back after a random part of `retry` ms."""
    return encode({"type": "reconnect", "retry": retry})


def error(refused: FanoutError, frame_id: int | None) -> bytes:
    """The frame was refused; nothing happened."""
    return encode({"type": "error", "id": frame_id, "code": refused.code, "message": str(refused)})


def expelled(refused: FanoutError, group: str) -> bytes:
    """The client is in the group no more; no publication of it follows."""
    return encode({"type": "error", "id": None, "code": refused.code, "message": str(refused), "group": group})


class Encoder:
    """The frames that all subscribers of a group share."""

    def publication(self, message: Publication) -> bytes:
        """One message of a group."""
        position = message.position
        if position is None:
            return b'{"type":"publication","group":"%b","data":%b}' % (message.group.encode(), message.data)
        return b'{"type":"publication","group":"%b","epoch":"%b","offset":%d,"data":%b}' % (
            message.group.encode(),
            position.epoch.encode(),
            position.offset,
            message.data,
        )

    def reset(self, group: str, position: Position, reason: str) -> bytes:
        """What lies between the client's position and this one is lost to it; publications go on behind this one."""
        return encode(
            {"type": "reset", "group": group, "epoch": position.epoch, "offset": position.offset, "reason": reason}
        )

    def presence(self, group: str, change: Change) -> bytes:
        """Who came and went since the last such frame, or who is there, if that was not told any more."""
        frame: dict[str, Any] = {"type": "presence", "group": group, "count": change.count}
        if change.members is not None:
            frame["members"] = _members(change.members)
        if change.join:
            frame["join"] = _members(change.join)
        if change.leave:
            frame["leave"] = change.leave
        return encode(frame)


def there(view: View) -> dict[str, Any]:
    """Who is in a group."""
    return {"count": view.count, "members": _members(view.members)}


def _members(members: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"id": member, "info": info} for member, info in members.items()]


ENCODER = Encoder()
