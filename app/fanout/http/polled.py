"""What a poll has to say of one group: of a durable one what lies behind a position, else the latest values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from fanout.http.parameters import text_of
from fanout.http.parcels import ENCODER, PUBLICATION, RESET
from fanout.positions import Position

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from fanout.http.outbox import Outbox
    from fanout.http.parameters import Wanted
    from fanout.http.parcels import Parcel
    from fanout.http.shelf import Shelf
    from fanout.members import Entry

ANSWER_LIMIT = 1024 * 1024
"""Bytes of publications in one answer, or one publication; the client asks again for the rest."""


@dataclass
class Said:
    """What is said of a group; behind `since` the client goes on."""

    since: str
    position: Position | None = None
    reset: str | None = None
    publications: list[Parcel] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """Return all but the publications, as JSON has it."""
        said: dict[str, Any] = {"since": self.since}
        if self.position is not None:
            said |= {"epoch": self.position.epoch, "offset": self.position.offset}
        return said if self.reset is None else {**said, "reset": self.reset}


class Polled(Protocol):
    """One group of a poll."""

    wanted: Wanted

    @property
    def ready(self) -> bool:
        """Whether there is something to say at once: something new, or where a new client begins."""

    def said(self) -> Said:
        """Return what there is now."""

    def close(self) -> None:
        """Wait for nothing more."""


@dataclass
class Durable:
    """A durable group: nothing is left out, nothing comes twice."""

    wanted: Wanted
    entry: Entry
    outbox: Outbox

    @property
    def ready(self) -> bool:
        """See Polled."""
        if self.entry.following:  # it will stir
            return False
        return self.wanted.since is None or bool(self.entry.recovered) or self.entry.reset is not None

    def said(self) -> Said:
        """See Polled."""
        assert self.entry.position is not None  # noqa: S101 - the group is durable
        position, reset, size = self.entry.position, self.entry.reset, 0
        if self.entry.following:  # and none of it may have come yet
            position = self.wanted.since or Position(position.epoch, position.offset - self.entry.following)
        publications: list[Parcel] = []
        for parcel in self._parcels():
            size += len(parcel)
            if publications and (size > ANSWER_LIMIT or parcel.kind == RESET):
                break  # the next poll finds it behind the position
            if parcel.kind == RESET:
                reset = str(msgspec.json.decode(parcel)["reason"])
            elif parcel.kind == PUBLICATION:
                publications.append(parcel)
            position = parcel.position or position
        return Said(text_of(position), position, reset, publications)

    def _parcels(self) -> Iterator[Parcel]:
        yield from map(ENCODER.publication, self.entry.recovered)
        yield from self.outbox.take()

    def close(self) -> None:
        """See Polled; its place is left with all others."""


@dataclass
class Ephemeral:
    """An ephemeral group: of each value the latest that the client has not had."""

    wanted: Wanted
    shelf: Shelf
    stir: asyncio.Event

    def __post_init__(self) -> None:
        self.shelf.wakers.add(self.stir)

    @property
    def ready(self) -> bool:
        """See Polled."""
        return self.wanted.cursor is None or bool(self.shelf.behind(self.wanted.cursor))

    def said(self) -> Said:
        """See Polled."""
        cursor = self.wanted.cursor
        values = self.shelf.last(self.wanted.last) if cursor is None else self.shelf.behind(cursor)
        return Said(self.shelf.cursor(cursor), publications=values)

    def close(self) -> None:
        """See Polled."""
        self.shelf.wakers.discard(self.stir)
