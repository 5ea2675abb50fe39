"""What the core tells: what arrived, what was settled, and what it wants to be woken for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fanout.positions import Position

if TYPE_CHECKING:
    from collections.abc import Callable

_decode = msgspec.json.Decoder().decode


class Publication(msgspec.Struct, gc=False):
    """One message of a group. `epoch` and `offset` are None in an ephemeral group."""

    group: str
    raw: msgspec.Raw
    epoch: str | None = None
    offset: int | None = None
    recovered: bool = False
    """Whether it was published before the join that brought it."""
    _data: Any = msgspec.UNSET

    def __repr__(self) -> str:
        return f"Publication({self.group!r}, {self.json!r}, {self.position}, recovered={self.recovered})"

    @property
    def data(self) -> Any:
        """The data; decoded when it is first asked for."""
        if self._data is msgspec.UNSET:
            self._data = _decode(self.raw)
        return self._data

    @property
    def json(self) -> bytes:
        """The data as JSON (UTF-8)."""
        return bytes(self.raw)

    @property
    def position(self) -> Position | None:
        """The place behind it: who stores this may go on here later. None in an ephemeral group."""
        return None if self.epoch is None or self.offset is None else Position(self.epoch, self.offset)


@dataclass(frozen=True, slots=True)
class Joined:
    """The client is in the group: after the first join, and again after each reconnect.

    `recovered` publications follow first. `position` is the one behind them, None in an ephemeral group.
    """

    group: str
    replica: str
    position: Position | None = None
    recovered: int = 0
    reset: str | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """Publications of the group that were made before `position` are missing; the others go on behind it."""

    group: str
    position: Position
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server does not let the client into the group (any more), or answered a frame that nobody waits for.

    In the first case `group` is named, and the client is not in it and does not try again.
    """

    group: str | None
    error: Exception


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer to `publish` or `leave`, by the ticket that it returned."""

    ticket: int
    position: Position | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Call `again` in so many seconds; harmless if everything has changed by then."""

    seconds: float
    again: Callable[[], None]


Event = Publication | Joined | Reset | Refused | Settled | Later
