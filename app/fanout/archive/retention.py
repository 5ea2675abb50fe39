"""The worker's part that deletes what is older than the archive keeps: `FANOUT_ARCHIVE_AGE` in Django's settings.

A group's oldest rows go, and never one with an older one before it: what is left has no holes. Where that begins stands
beside how far the group has been copied, so that whoever reads back is told that there was more.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from django.conf import settings

from fanout.archive import rows

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERY = 600.0
"""Seconds between two looks at all groups: a look is one query, and an age is given in days."""
GROUPS_AT_ONCE = 64
"""Groups of one look: what is remembered of them."""
BREATH = 0.05
"""Seconds between two transactions: those that copy come in between."""


def kept_age() -> timedelta | None:
    """Return how long the archive keeps what it has copied; None: for ever."""
    seconds: float | None = getattr(settings, "FANOUT_ARCHIVE_AGE", None)
    return timedelta(seconds=seconds) if seconds else None


class Retention:
    """Deletes in small transactions, of a group or of a few rows each; two workers at once do no harm."""

    every = EVERY

    def __init__(self, age: timedelta) -> None:
        self._age = age
        self._deleted = 0

    def status(self) -> Mapping[str, Any]:
        """Return how many rows this worker has deleted."""
        return {"deleted": self._deleted}

    async def run(self) -> None:
        """Delete all that is older than it may be. Raise DatabaseError; what was deleted stays deleted."""
        until = datetime.now(UTC) - self._age
        after = ""
        while groups := await database_sync_to_async(rows.outdated)(after, until, GROUPS_AT_ONCE):
            for group in groups:
                await self._forget(group, until)
            after = groups[-1]

    async def _forget(self, group: str, until: datetime) -> None:
        while deleted := await database_sync_to_async(rows.forget)(group, until):
            self._deleted += deleted
            await asyncio.sleep(BREATH)
