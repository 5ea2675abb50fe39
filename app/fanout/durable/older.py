"""What was published before a position: from the stream, and where that has forgotten it from the archive.

What is in neither was never acknowledged, lost, or older than the archive keeps: a stream is not trimmed before its
publications are archived.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from django.apps import apps
from django.db import DatabaseError

from fanout.errors import Unavailable
from fanout.policy import policy_for
from fanout.positions import OtherEpoch, Position
from fanout.publishing import default_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fanout.archive.rows import Edge
    from fanout.positions import Top
    from fanout.publication import Publication

ANSWER_LIMIT = 1024 * 1024
"""Bytes of publications that are returned at once, but for a single larger one."""


class UnknownPosition(Exception):
    """The position is neither in the stream nor in the archive (any more)."""


async def older(group: str, before: Position | None, count: int) -> list[Publication]:
    """Return the newest `count` publications of a durable group before a position, or of all, oldest first.

    Fewer than there are where they are large, or where the stream ends: ask again before the first. None are returned
    when there are none. Raise UnknownPosition or Unavailable.
    """
    archived = _has_archive(group)
    rows = await _rows_before(group, before, count) if before is not None and archived else None
    if rows:
        return newest(rows)
    top = await default_layer().top(group)
    if rows is not None and before is not None and top.translate(before) is None:
        return []  # the first row of all, of a stream that is no more
    end = _end(top, before)
    found = await _from_stream(group, top, end, count)
    if found or not archived:
        return found
    edge: Edge = await _ask_archive(lambda rows: rows.edge(group))
    if edge.forgotten and (edge.first is None or (top.translate(edge.first) or 0) > end):
        return []  # all that is kept is newer
    at = top.at(end) if end else None
    return newest(await _ask_archive(lambda rows: rows.through(group, at, before, count)) or [])


async def _rows_before(group: str, before: Position, count: int) -> list[Publication] | None:
    """Return what the archive has before a position, newest first; None where it does not know the position."""
    rows: list[Publication] | None = await _ask_archive(lambda rows: rows.before(group, before, count))
    return rows


async def has_forgotten(group: str, before: Position | None) -> bool:
    """Whether there was something before a position before which `older` finds nothing. Raise Unavailable."""
    if _has_archive(group):
        edge: Edge = await _ask_archive(lambda rows: rows.edge(group))
        return edge.forgotten
    top = await default_layer().top(group)
    return _end(top, before) > 0


def newest(publications: Iterable[Publication]) -> list[Publication]:
    """Return, oldest first, as many of these (newest first) as fit the limit, at least one."""
    taken: list[Publication] = []
    size = 0
    for publication in publications:
        size += len(publication.data)
        if taken and size > ANSWER_LIMIT:
            break
        taken.append(publication)
    return taken[::-1]


def _end(top: Top, before: Position | None) -> int:
    """Return the offset of the last publication before a position."""
    if before is None:
        return top.position.offset
    offset = top.translate(before)
    if offset is None:
        raise UnknownPosition
    return max(offset - 1, 0)


async def _from_stream(group: str, top: Top, end: int, count: int) -> list[Publication]:
    """Return what the stream holds without a hole up to the offset `end`, `count` at most."""
    layer, at = default_layer(), max(end - count, 0)
    run: list[Publication] = []
    while at < end:
        try:
            read = await layer.read(group, Position(top.position.epoch, at), end)
        except OtherEpoch:
            raise Unavailable(f"{group} began a new epoch meanwhile; try again.") from None
        if not read:
            return []
        for publication in read:
            if run and publication.offset != run[-1].offset + 1:
                run = []
            run.append(replace(publication, position=top.at(publication.offset)))
        run = newest(reversed(run))
        at = run[-1].offset
    return run


def _has_archive(group: str) -> bool:
    history = policy_for(group).history
    return history is not None and history.archived and apps.is_installed("fanout.archive")


async def _ask_archive(question: Callable[..., Any]) -> Any:
    from fanout.archive import rows  # models: only where the app is installed

    try:
        return await database_sync_to_async(question)(rows)
    except DatabaseError:
        raise Unavailable("The archive can't be asked now; try again.") from None
