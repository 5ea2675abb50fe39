"""Room in the streams: a change is taken only while nothing is trimmed that no snapshot has.

Each process takes some changes of a document before it looks again how far the snapshot is behind. So the limits leave
room for all that the other replicas may have taken meanwhile.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

from channels.db import database_sync_to_async
from django.db import Error as DatabaseError
from django.db.models.functions import Length

from demos.document import compaction
from demos.document.models import Snapshot
from demos.document.snapshots import BEGINNING
from fanout.errors import FanoutError, TooLarge, Unavailable
from fanout.history import History
from fanout.positions import Position
from fanout.publishing import default_layer

logger = logging.getLogger(__name__)

HISTORY = History(size=4000, age=7 * 24 * 3600, bytes=16 * 1024 * 1024)
"""A worker saves each change within seconds, so the stream may be short; one that was away for a week lost none."""
UNSAVED_BYTES = 1024 * 1024
"""Bytes of changes that a process takes before it sees to it that a snapshot has them: 15 replicas at once fit."""
COMPACT_HERE = 1000
"""Changes behind the snapshot at which a replica writes it itself: no worker keeps up."""
REFUSE = 2000
"""Changes behind it at which none is taken any more, for it can't be written either."""
GRANT = 25
"""Changes that a process takes before it looks again: 80 replicas at once may exceed REFUSE by that."""
DOCUMENT_LIMIT = 8 * 1024 * 1024
"""Bytes of a snapshot: 400,000 edits in random places, or some 100 books."""
KNOWN_LIMIT = 4096
"""Documents that a process knows at once."""


@dataclass(slots=True)
class _Room:
    """What a process knows of one document."""

    left: int = 0
    unsaved: int = 0
    """Bytes of changes that it has taken since a snapshot had all."""
    saved: Position = BEGINNING


_rooms: OrderedDict[str, _Room] = OrderedDict()


async def admit(name: str, size: int) -> None:
    """Return if another change of so many bytes may be published to a document. Raise Unavailable, TooLarge."""
    room = _rooms.setdefault(name, _Room())
    _rooms.move_to_end(name)
    if len(_rooms) > KNOWN_LIMIT:
        _rooms.popitem(last=False)
    is_full = bool(room.unsaved) and room.unsaved + size > UNSAVED_BYTES
    if room.left < 1 or is_full:
        await _look(name, room, is_full=is_full)
        room.left = GRANT
    room.left -= 1
    room.unsaved += size


async def _look(name: str, room: _Room, *, is_full: bool) -> None:
    behind, is_saved = await _behind(name, room), False
    if behind >= COMPACT_HERE or (behind and is_full):
        try:
            await compaction.compact_once(name)
            is_saved = True
        except (DatabaseError, FanoutError):
            logger.exception("the snapshot of %s can't be written, and is %d changes behind", name, behind)
        behind = await _behind(name, room)
    if behind >= REFUSE or (behind and is_full and not is_saved):
        raise Unavailable("The document can't be saved at the moment: nothing more is taken until it can. Try again.")
    if is_saved or not behind:
        room.unsaved = 0


async def _behind(name: str, room: _Room) -> int:
    """Return how many publications the snapshot lacks, as far as is known: the database may be away."""
    try:
        size = await database_sync_to_async(_measure)(name, room)
    except DatabaseError as error:
        logger.warning("the snapshot of %s can't be looked at: %s", name, error)
        size = 0
    if size > DOCUMENT_LIMIT:
        raise TooLarge(f"This document is full: it may have {DOCUMENT_LIMIT} bytes. Go on in another one.")
    top = await default_layer().top(compaction.group_of(name))
    return top.position.offset - (top.translate(room.saved) or 0)


def _measure(name: str, room: _Room) -> int:
    """Note the position of the snapshot; return its bytes."""
    found = Snapshot.objects.filter(name=name).annotate(size=Length("state"))
    for epoch, offset, size in found.values_list("epoch", "offset", "size"):
        room.saved = Position(epoch, offset)
        return int(size)
    return 0
