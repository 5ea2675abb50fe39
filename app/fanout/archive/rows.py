"""The archive in the database: how far it is, and rows with how far it is then, in one transaction. Sync code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection, transaction
from django.db.models import F, OuterRef, Subquery

from fanout.archive.models import ArchivedPublication, Progress
from fanout.errors import Unavailable
from fanout.publication import Publication

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import QuerySet

    from fanout.archive.plan import Copy
    from fanout.positions import Position

BATCH = 500
"""Rows that are deleted in one transaction: some milliseconds, in which SQLite lets nobody else write."""


def check_tables() -> None:
    """Raise Unavailable if nobody has made the tables yet."""
    if Progress._meta.db_table not in connection.introspection.table_names():  # noqa: SLF001 - Django's name for public
        raise Unavailable("the database lacks the archive's tables: run manage.py migrate")


def progress_of(groups: Iterable[str]) -> dict[str, Position]:
    """Return how far each group has been copied; of one that is not known, nothing."""
    return {each.group: each.position for each in Progress.objects.filter(group__in=list(groups))}


def write(copies: Sequence[Copy], *, some_are_there: bool = False) -> set[str]:
    """Write copies; return the groups of those that were not written: another worker was faster.

    `some_are_there`: leave out publications that have a row. Usually none has, and nobody looks.
    """
    rows: list[ArchivedPublication] = []
    late: set[str] = set()
    with transaction.atomic():
        # In one order, so that two workers never wait for each other.
        names = [copy.group for copy in copies]
        known = {each.group: each for each in _locked(names)}
        for copy in copies:
            progress = known.get(copy.group)
            if (progress.position if progress else None) != copy.before:
                late.add(copy.group)
                continue
            number = progress.number if progress else 0
            new = _without_row(copy) if some_are_there else copy.publications
            rows += [_row(publication, number + at) for at, publication in enumerate(new, 1)]
            _move(progress, copy, number + len(new))
        ArchivedPublication.objects.bulk_create(rows)
    return late


def _without_row(copy: Copy) -> list[Publication]:
    positions = {publication.position: publication for publication in copy.publications if publication.position}
    offsets = [position.offset for position in positions]
    there = ArchivedPublication.objects.filter(group=copy.group, offset__in=offsets)
    for row in there.only("group", "epoch", "offset"):
        positions.pop(row.position, None)
    return list(positions.values())


def _locked(groups: Sequence[str]) -> Iterable[Progress]:
    return Progress.objects.select_for_update().filter(group__in=groups).order_by("group")


def _move(progress: Progress | None, copy: Copy, number: int) -> None:
    fields = {"epoch": copy.through.epoch, "offset": copy.through.offset, "number": number}
    if progress is None:  # two that both begin a group collide here, and the later one is rolled back
        Progress.objects.create(group=copy.group, **fields)
    else:
        Progress.objects.filter(group=copy.group).update(**fields)


def _row(publication: Publication, number: int) -> ArchivedPublication:
    position = publication.position
    assert position is not None  # noqa: S101 - it was read from a stream
    return ArchivedPublication(
        group=publication.group,
        epoch=position.epoch,
        offset=position.offset,
        number=number,
        data=publication.data,
        published_at=datetime.fromtimestamp(publication.published_at, UTC),
    )


# -- forgetting ------------------------------------------------------------------------------------------------


def outdated(after: str, until: datetime, count: int) -> list[str]:
    """Return groups whose first row was archived before `until`, in their order, behind the group `after`."""
    first = ArchivedPublication.objects.filter(group=OuterRef("group"), number=OuterRef("kept_from"))
    groups = Progress.objects.filter(group__gt=after, number__gte=F("kept_from"))
    groups = groups.annotate(oldest=Subquery(first.values("archived_at")[:1])).filter(oldest__lt=until)
    return list(groups.order_by("group").values_list("group", flat=True)[:count])


def forget(group: str, until: datetime) -> int:
    """Delete the first rows of a group that were archived before `until`, at most BATCH; return how many."""
    with transaction.atomic():
        progress = Progress.objects.select_for_update().get(group=group)
        rows = ArchivedPublication.objects.filter(group=group, number__gte=progress.kept_from).order_by("number")
        kept_from = progress.kept_from
        for number, archived_at in rows.values_list("number", "archived_at")[:BATCH]:
            if archived_at >= until:
                break
            kept_from = number + 1
        if kept_from > progress.kept_from:
            ArchivedPublication.objects.filter(group=group, number__lt=kept_from).delete()
            Progress.objects.filter(group=group).update(kept_from=kept_from)
        return kept_from - progress.kept_from


# -- reading ---------------------------------------------------------------------------------------------------


class Edge(NamedTuple):
    """Where a group's archive begins."""

    first: Position | None
    """Of the first row; None without any."""
    forgotten: bool
    """Whether there was one before it, which was deleted."""


def edge(group: str) -> Edge:
    """Return where a group's archive begins."""
    progress = Progress.objects.filter(group=group).first()
    if progress is None:
        return Edge(None, forgotten=False)
    row = ArchivedPublication.objects.filter(group=group, number=progress.kept_from).first()
    return Edge(row.position if row else None, forgotten=progress.kept_from > 1)


def before(group: str, position: Position, count: int) -> list[Publication] | None:
    """Return the newest `count` before the row of a position, newest first; None if there is no such row."""
    row = _row_at(group, position)
    return None if row is None else _newest(ArchivedPublication.objects.filter(number__lt=row.number), group, count)


def through(group: str, at: Position | None, end: Position | None, count: int) -> list[Publication]:
    """Return the newest `count` up to the row of `at`, newest first; without that row, all that `end` is not before."""
    row = _row_at(group, at) if at else None
    rows = ArchivedPublication.objects.all()
    if row is not None:
        rows = rows.filter(number__lte=row.number)
    elif end is not None:  # of the stream that `end` is the beginning of, rows may have come meanwhile
        rows = rows.exclude(epoch=end.epoch, offset__gte=end.offset)
    return _newest(rows, group, count)


def _row_at(group: str, position: Position) -> ArchivedPublication | None:
    rows = ArchivedPublication.objects.only("number")
    return rows.filter(group=group, epoch=position.epoch, offset=position.offset).first()


def _newest(rows: QuerySet[ArchivedPublication], group: str, count: int) -> list[Publication]:
    found = rows.filter(group=group).order_by("-number")[:count]
    return [Publication(group, bytes(row.data), row.published_at.timestamp(), row.position) for row in found]
