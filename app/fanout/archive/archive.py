"""The worker's part that copies streams into the database.

Appends tell it their group over a topic of Redis; whenever that could have missed one (its start, a lost
connection) it looks at all groups. Where to go on stands in the database, beside the rows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError

from fanout.archive import rows
from fanout.archive.plan import Copy, copy_of, start_of
from fanout.counters import counters
from fanout.errors import Unavailable
from fanout.history import READ_COUNT
from fanout.layers import RedisChannelLayer
from fanout.policy import policy_for
from fanout.positions import OtherEpoch, Position
from fanout.publishing import default_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanout.history import History

logger = logging.getLogger(__name__)

EVERY = 0.5
"""Seconds between two looks at what waits: with Redis' and the database's part of it far below the 5 s promised."""
GROUPS_AT_ONCE = 64
"""Groups of one transaction: at most 16 MiB of what READ_BYTES lets each bring."""
LOOK_EVERY = 60.0
"""Seconds after which all groups are looked at anyway: replicas of a version that tells nothing may be there."""


class Archive:
    """Copies what waits. See `fanout.archive` for what it guarantees."""

    every = EVERY

    def __init__(self) -> None:
        layer = default_layer()
        if not isinstance(layer, RedisChannelLayer):
            raise ImproperlyConfigured("The archive copies what is in Redis, and the channel layer is in memory.")
        self._layer = layer
        self._waiting: dict[str, float] = {}
        """Group → since when it may have something new, in seconds since 1970; the one whose turn it is comes first."""
        self._copying: dict[str, float] = {}
        self._watching = False
        self._looked_at = float("-inf")

    @property
    def waiting_since(self) -> float | None:
        """Since when the oldest publication has waited, as far as known; seconds since 1970."""
        return min((*self._waiting.values(), *self._copying.values()), default=None)

    def status(self) -> dict[str, Any]:
        """Return numbers for people and programs."""
        since = self.waiting_since
        return {
            "lag": round(max(0.0, time.time() - since), 3) if since else 0.0,
            "groups_waiting": len({*self._waiting, *self._copying}),
            "copied": counters.archived,
            "lost": counters.archive_lost,
        }

    async def run(self) -> None:
        """Copy all that waits. Raise Unavailable or DatabaseError; what was not copied waits on."""
        failed: Exception | None = None
        try:
            await self._watch()
            if time.monotonic() - self._looked_at > LOOK_EVERY:
                await self._look()
        except Unavailable as error:  # of one host perhaps: what the others have is copied all the same
            failed = error
        tried: set[str] = set()
        while groups := list(islice((group for group in self._waiting if group not in tried), GROUPS_AT_ONCE)):
            failures = await self._copy(groups)
            tried |= failures.keys()
            failed = next(iter(failures.values()), failed)
        counters.archive_waiting_since = self.waiting_since
        if failed is not None:
            raise failed
        if not self._layer.hears_all():
            raise Unavailable("there is no connection to Redis, or not to all of its hosts")

    async def _watch(self) -> None:
        """Be told of what is published from now on; where a host is away, from when it is there."""
        if not self._watching:
            await database_sync_to_async(rows.check_tables)()
            self._watching = True
            self._layer.on_back(self._look_again)
            await self._layer.watch_archive(self._told)

    # -- what waits -------------------------------------------------------------------------------------

    def _told(self, group: str) -> None:
        self._waiting.setdefault(group, time.time())
        counters.archive_waiting_since = self.waiting_since

    def _look_again(self) -> None:
        self._looked_at = float("-inf")

    async def _look(self) -> None:
        """Let every group wait whose kind has an archive."""
        began = time.monotonic()
        self._looked_at = began  # before: what is lost meanwhile asks again
        try:
            async for group in self._layer.durable_groups():
                if _history_of(group) is not None:
                    self._waiting.setdefault(group, time.time())
        except Unavailable:
            self._look_again()
            raise

    # -- copying ------------------------------------------------------------------------------------------

    async def _copy(self, groups: Sequence[str]) -> dict[str, Exception]:
        """Copy the first of what each group has; return the groups that could not be, and why."""
        self._copying = {group: self._waiting.pop(group) for group in groups}
        left = dict.fromkeys(groups, True)
        try:
            copied = await database_sync_to_async(rows.progress_of)(groups)
            reads = (self._read(each, copied.get(each)) for each in groups)
            found = dict(zip(groups, await asyncio.gather(*reads, return_exceptions=True), strict=True))
            copies = [each for each in found.values() if isinstance(each, Copy)]
            late = await self._write([each for each in copies if each.through != each.before])
            for group, each in found.items():
                done = each is None or (isinstance(each, Copy) and each.complete)
                left[group] = group in late or not done
            await asyncio.gather(*(self._tell_archived(each) for each in copies if each.group not in late))
        finally:
            since, self._copying = self._copying, {}
            for group in [group for group in groups if left[group]]:  # behind the others, as old as it was
                self._waiting[group] = min(since[group], self._waiting.pop(group, since[group]))
        return {group: each for group, each in found.items() if isinstance(each, Exception)}

    async def _read(self, group: str, copied: Position | None) -> Copy | None:
        """Return the first that is new of a group; None if nothing is. Raise Unavailable."""
        if _history_of(group) is None:
            return None
        top = await self._layer.top(group)
        after, end = start_of(copied, top), top.position.offset
        if end == 0 or (copied is None and after >= end):
            return None
        read = []
        if after < end:
            try:
                read = await self._layer.read(group, Position(top.position.epoch, after), min(end, after + READ_COUNT))
            except OtherEpoch:
                raise Unavailable(f"{group} began a new epoch meanwhile; trying again.") from None
            if read:
                self._copying[group] = min(self._copying[group], read[0].published_at)
        return copy_of(group, copied, top, after, read)

    async def _write(self, copies: Sequence[Copy]) -> set[str]:
        try:
            late = await database_sync_to_async(rows.write)(copies) if copies else set()
        except IntegrityError:
            try:  # Redis was restored from before what the archive knows: it begins anew, and has rows already
                late = await database_sync_to_async(rows.write)(copies, some_are_there=True)
            except IntegrityError:  # another worker began one of the groups, too: look where it has come to
                return {copy.group for copy in copies}
        for copy in copies:
            if copy.group not in late:
                counters.archived += len(copy.publications)
                if copy.lost:
                    counters.archive_lost += copy.lost
                    logger.error("%d publications of %s were gone before they were archived", copy.lost, copy.group)
        return late

    async def _tell_archived(self, copy: Copy) -> None:
        """Let Redis trim what is copied; where it is away, the next copy of the group tells it."""
        history = _history_of(copy.group)
        if history is not None:
            try:
                await self._layer.archived(copy.group, copy.through, history)
            except Unavailable as error:
                logger.debug("could not tell that %s is archived: %s", copy.group, error)


def _history_of(group: str) -> History | None:
    """Return the history of a group whose kind has an archive."""
    history = policy_for(group).history
    return history if history is not None and history.archived else None
