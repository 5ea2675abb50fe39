"""Snapshots in the database: read, and replaced by who has read the version before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from django.db import IntegrityError, transaction
from django.utils import timezone

from demos.document.merging import together
from demos.document.models import Snapshot
from demos.document.update import EMPTY
from fanout.positions import Position

if TYPE_CHECKING:
    from collections.abc import Iterable

BEGINNING = Position("0", 0)
"""Of a document that nobody has written to."""
NAMES_AT_ONCE = 500
"""Names in one query: SQLite takes 999."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A document's snapshot; the one of version 0 is of a document that has none."""

    name: str
    state: bytes = EMPTY
    waiting: tuple[bytes, ...] = ()
    """Changes that need others which are missing."""
    position: Position = BEGINNING
    version: int = 0

    @property
    def update(self) -> bytes:
        """All of it, as one update of Yjs."""
        return together(self.state, self.waiting)


def load(name: str) -> Saved:
    """Return the document's snapshot. Raise django.db.Error."""
    row = Snapshot.objects.filter(name=name).first()
    if row is None:
        return Saved(name)
    return Saved(name, bytes(row.state), _unpacked(row.waiting), Position(row.epoch, row.offset), row.version)


def save(new: Saved) -> bool:
    """Replace the version before `new`; False, and nothing happened, if that is not the newest any more."""
    values = {
        "state": new.state,
        "waiting": msgspec.msgpack.encode(new.waiting) if new.waiting else b"",
        "epoch": new.position.epoch,
        "offset": new.position.offset,
        "version": new.version,
        "saved_at": timezone.now(),
    }
    if new.version > 1:
        return bool(Snapshot.objects.filter(name=new.name, version=new.version - 1).update(**values))
    try:
        with transaction.atomic():
            Snapshot.objects.create(name=new.name, **values)
    except IntegrityError:
        return False
    return True


def positions(names: Iterable[str]) -> dict[str, Position]:
    """Return where the snapshots of these documents are; those without one are left out."""
    wanted, found = list(names), {}
    for first in range(0, len(wanted), NAMES_AT_ONCE):
        rows = Snapshot.objects.filter(name__in=wanted[first : first + NAMES_AT_ONCE])
        for name, epoch, offset in rows.values_list("name", "epoch", "offset"):
            found[name] = Position(epoch, offset)
    return found


def _unpacked(waiting: bytes) -> tuple[bytes, ...]:
    return tuple(msgspec.msgpack.decode(bytes(waiting), type=list[bytes])) if waiting else ()
