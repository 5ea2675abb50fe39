"""Snapshots of what the streams hold: a worker writes them, replicas where none keeps up.

Nothing is lost, whatever dies: a snapshot is written in one statement, and the stream is only read. Where a failover of
Redis lost what a snapshot has, or a stream was trimmed before it was saved, all pages of the document are told to take
the snapshot and to publish again what it lacks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from base64 import b64decode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
from channels.db import database_sync_to_async

from demos.document.merging import merged
from demos.document.snapshots import BEGINNING, Saved, load, positions, save
from fanout.positions import OtherEpoch, Position
from fanout.publishing import default_layer, publish_on

if TYPE_CHECKING:
    from fanout.layers import FanoutLayer
    from fanout.publication import Publication

logger = logging.getLogger(__name__)

KIND = "document"
EVERY = 5.0
"""Seconds between two looks at what is due: so old is the newest change that only Redis has."""
RESYNC = {"resync": True}
"""What tells all pages to take the snapshot anew, and to publish what it lacks."""


@dataclass(frozen=True, slots=True)
class Due:
    """A document that has changes which its snapshot lacks."""

    name: str
    behind: int
    """Publications; at least 1."""


@dataclass(frozen=True, slots=True)
class _Tail:
    """What a stream holds behind a snapshot."""

    changes: list[bytes]
    position: Position
    broken: bool
    """Whether something is missing: in the stream that the snapshot has, or in front of what the stream still has."""


def group_of(name: str) -> str:
    """Return the group of a document's changes."""
    return f"{KIND}.{name}"


async def compact(name: str) -> Saved:
    """Bring the document's snapshot up to the newest publication, and return it. Raise Unavailable, django.db.Error.

    Any number of processes may do so at once, and each may end at any point. In one statement all of the work becomes
    visible; of several the first one wins, and the others look again.
    """
    layer = default_layer()
    while True:
        saved: Saved = await database_sync_to_async(load)(name)
        try:
            tail = await _tail(layer, group_of(name), saved.position)
        except OtherEpoch:
            continue
        if tail.position == saved.position:
            return saved
        state, waiting = await asyncio.to_thread(merged, saved.state, [*saved.waiting, *tail.changes])
        if tail.broken:
            # Before the snapshot is written: who dies in between leaves it to the next one, which says it again.
            await publish_on(layer, group_of(name), RESYNC)
        new = replace(saved, state=state, waiting=tuple(waiting), position=tail.position, version=saved.version + 1)
        if await database_sync_to_async(save)(new):
            return new


_under_way: dict[str, asyncio.Task[Saved]] = {}


async def compact_once(name: str) -> Saved:
    """Do as `compact`, once for all who ask while this process is at it; what is newer they get from the stream."""
    loop, task = asyncio.get_running_loop(), _under_way.get(name)
    if task is None or task.get_loop() is not loop:
        task = _under_way[name] = loop.create_task(compact(name))
        task.add_done_callback(lambda _: _under_way.pop(name, None))
    return await asyncio.shield(task)


async def due() -> list[Due]:
    """Return the documents with changes that no snapshot has, the furthest behind first. Raise Unavailable."""
    tops = await default_layer().tops(KIND)
    names = {group.partition(".")[2]: top for group, top in tops.items()}
    saved = await database_sync_to_async(positions)(names)
    found = []
    for name, top in names.items():
        after = top.translate(saved.get(name, BEGINNING))
        if after != top.position.offset:
            found.append(Due(name, max(1, top.position.offset - (after or 0))))
    return sorted(found, key=lambda each: -each.behind)


async def compact_due() -> int:
    """Compact all documents that are due, one after the other; return how many.

    One that can't be compacted keeps none of the others; its error is raised when all have had their turn.
    """
    found = await due()
    failed: Exception | None = None
    for each in found:
        try:
            await compact(each.name)
        except Exception as error:  # noqa: BLE001 - whatever it is; the caller gets it
            failed = error
    if failed is not None:
        raise failed
    return len(found)


class Compaction:
    """The worker's job: all documents, again and again. Killed at any moment, or beside another, it does no harm."""

    every = EVERY

    def __init__(self) -> None:
        self._written = 0
        self._behind_since: float | None = None

    async def run(self) -> None:
        """Compact what is due. Raise what keeps it from that."""
        began = time.monotonic()
        try:
            self._written += await compact_due()
        except Exception:
            self._behind_since = self._behind_since or began
            raise
        self._behind_since = None

    def status(self) -> dict[str, float]:
        """Return how many snapshots were written, and for how many seconds some can't be."""
        behind = 0.0 if self._behind_since is None else time.monotonic() - self._behind_since
        return {"written": self._written, "lag": round(behind, 1)}


async def _tail(layer: FanoutLayer, group: str, saved: Position) -> _Tail:
    """Read what lies behind a snapshot. Raise OtherEpoch when the stream changed under the reading, Unavailable."""
    top = await layer.top(group)
    after = top.translate(saved)
    # What a snapshot has already does no harm when it is merged again.
    kept = await _kept(layer, group, Position(top.position.epoch, after or 0), top.position.offset)
    trimmed = (kept[0].offset if kept else top.position.offset + 1) - (after or 0) - 1
    if after is None:
        logger.warning("the stream of %s has lost what its snapshot has: all pages are told to say it again", group)
    elif trimmed > 0:
        logger.error("%d changes of %s were trimmed before they were saved: pages are asked for them", trimmed, group)
    changes = [change for publication in kept if (change := change_of(publication)) is not None]
    return _Tail(changes, top.at(top.position.offset), after is None or trimmed > 0)


async def _kept(layer: FanoutLayer, group: str, at: Position, through: int) -> list[Publication]:
    kept: list[Publication] = []
    while at.offset < through and (read := await layer.read(group, at, through)):
        kept += read
        at = Position(at.epoch, read[-1].offset)
    return kept


def change_of(publication: Publication) -> bytes | None:
    """Return the change in a publication of a document; None if it holds none."""
    try:
        return b64decode(msgspec.json.decode(publication.data)["update"], validate=True)
    except (ValueError, TypeError, KeyError):
        return None
