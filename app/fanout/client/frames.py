"""The frames of `fanout.v1` as a client reads them; those that it writes are the server's own structs.

Unknown types and fields are ignored: later versions add some.
"""

from __future__ import annotations

import msgspec

from fanout.positions import Position


class Published(msgspec.Struct, tag="publication", gc=False):
    """One message of a group; `data` is not looked at."""

    group: str
    data: msgspec.Raw
    epoch: str | None = None
    offset: int | None = None


class Placed(msgspec.Struct, gc=False):
    """A frame that tells a position, if the group is durable."""

    epoch: str | None = None
    offset: int | None = None

    @property
    def position(self) -> Position | None:
        """The position; None in an ephemeral group."""
        return None if self.epoch is None or self.offset is None else Position(self.epoch, self.offset)


class JoinedFrame(Placed, tag="joined", kw_only=True):
    """The answer to `join`."""

    id: int | None = None
    replica: str = ""
    recovered: int = 0
    reset: str | None = None


class AckFrame(Placed, tag="ack", kw_only=True):
    """The answer to `publish`."""

    id: int | None = None


class LeftFrame(msgspec.Struct, tag="left"):
    """The answer to `leave`."""

    id: int | None = None


class ErrorFrame(msgspec.Struct, tag="error"):
    """The answer to a frame that was refused."""

    code: str
    message: str
    id: int | None = None


class ResetFrame(msgspec.Struct, tag="reset"):
    """Something behind the client's position is lost to it."""

    group: str
    epoch: str
    offset: int
    reason: str


class ReconnectFrame(msgspec.Struct, tag="reconnect"):
    """The server will close the connection: come back after `retry` milliseconds."""

    retry: float = 0


Answer = JoinedFrame | AckFrame | LeftFrame | ErrorFrame
ServerFrame = Published | Answer | ResetFrame | ReconnectFrame

_decoder: msgspec.json.Decoder[ServerFrame] = msgspec.json.Decoder(ServerFrame)


def decode(text: bytes | str) -> ServerFrame | None:
    """Return a server's frame; None for what is none that we know."""
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
