"""What the worker deletes of the archive: what is old, without a hole, and no more."""

import asyncio
import contextlib
import sqlite3
import uuid
from datetime import timedelta

import psycopg
import pytest

from demos.chat.policy import ChatPolicy
from fanout.archive.retention import kept_age
from fanout.archive.rows import BATCH
from tests.redis_servers import eventually

from .conftest import TABLE, Sqlite
from .test_archive import publish

pytestmark = pytest.mark.slow

LONG_AGO = "2001-01-01 00:00:00+00:00"
MANY = 2 * BATCH + 100


def execute(database, sql):
    """Change the archive, as time would."""
    if isinstance(database, Sqlite):
        with contextlib.closing(sqlite3.connect(database.path, timeout=20)) as connection, connection:
            connection.execute(sql)
    else:
        with psycopg.connect(database.url) as connection:
            connection.execute(sql)


def age(database, group, numbers):
    """Have rows of a group been archived long ago."""
    execute(database, f"UPDATE {TABLE} SET archived_at = '{LONG_AGO}' WHERE \"group\" = '{group}' AND {numbers}")  # noqa: S608 - ours


def numbers(crew, group):
    return sorted(row[-1] for row in crew.database.rows() if row[0] == group)


async def test_what_is_too_old_goes_and_what_is_not_stays(kind, crew_of, own_redis, redis_layer):
    """From the oldest on and without a hole, in more than one transaction; copying goes on where it was."""
    layer, crew = redis_layer(own_redis, prefix="asgi"), crew_of(kind, own_redis)
    many, none, young, hole = (f"chat.{uuid.uuid4().hex[:8]}" for _ in range(4))
    first = crew.worker()
    await publish(layer, many, *range(MANY))
    for group in (none, young, hole):
        await publish(layer, group, *range(10))
    await asyncio.to_thread(crew.archived, MANY + 30)
    first.stop()
    age(crew.database, many, f"number <= {MANY - 7}")
    age(crew.database, none, "number > 0")
    age(crew.database, hole, "number IN (1, 2, 4)")
    crew._starter.environment["FANOUT_ARCHIVE_DAYS"] = "365"
    crew.worker()
    await asyncio.to_thread(eventually, lambda: len(crew.database.rows()) <= 7 + 10 + 8, "what is old is gone")
    assert numbers(crew, many) == list(range(MANY - 6, MANY + 1))
    assert numbers(crew, none) == []
    assert numbers(crew, young) == list(range(1, 11))
    assert numbers(crew, hole) == list(range(3, 11)), "a row behind a young one stays, however old it says it is"
    gone = {"deleted": MANY - 7 + 10 + 2}
    await asyncio.to_thread(eventually, lambda: crew.is_ready() and crew.job("retention") == gone, str(gone))
    for group in (many, none):
        await publish(layer, group, "more")
    await asyncio.to_thread(crew.archived, 7 + 10 + 8 + 2)
    assert (numbers(crew, many)[-1], numbers(crew, none)) == (MANY + 1, [11])


@pytest.mark.parametrize(("seconds", "expected"), [(None, None), (86400.0, timedelta(days=1))])
def test_without_an_age_all_is_kept(settings, seconds, expected):
    """By default there is no such job at all."""
    assert ChatPolicy.history.archived
    settings.FANOUT_ARCHIVE_AGE = seconds
    assert kept_age() == expected
