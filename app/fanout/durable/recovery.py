"""What lies behind the position of a client who comes back: at hand, or read once for all who want it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fanout.durable.feed import CHECK_LIMIT, LOST, TRIMMED
from fanout.durable.tail import unbroken
from fanout.errors import Unavailable
from fanout.history import READ_COUNT
from fanout.positions import OtherEpoch

if TYPE_CHECKING:
    from fanout.durable.feed import Feed
    from fanout.positions import Position
    from fanout.publication import Publication


class Recovery:
    """The stream of one durable group behind any position, in portions."""

    def __init__(self, feed: Feed, portion: int) -> None:
        """`portion` bounds the bytes of data that are handed out at once, but for a single larger publication."""
        self._feed = feed
        self._portion = portion
        self._reading = asyncio.Lock()
        self.turn = asyncio.Lock()
        """Held by the one of all who are behind that is being served: they hold one portion in all, not one each."""

    @property
    def position(self) -> Position:
        """Behind the last publication that was delivered."""
        return self._feed.position

    async def first(self, since: Position | None, last: int) -> tuple[list[Publication], str | None]:
        """Return what a newcomer gets first of what is behind `since`, or of the `last` n; and the reason of a reset.

        As `behind` does.
        """
        if since is None and not last:
            return [], None
        first: list[Publication] = []
        at, size = since or await self.start_of(last), 0
        while found := await self.behind(at):
            if isinstance(found, str):  # who has no position can't be past one
                return [], found if since else None
            size += sum(len(publication.data) for publication in found)
            if first and size > self._portion:
                break
            first += found
            at = self._feed.top.at(found[-1].offset)
        if since is None and first:  # others may have come while the last ones were read
            more = max(0, self._feed.position.offset - first[0].offset + 1 - last)
            return (first[more:], None) if more < len(first) else await self.first(None, last)
        return first, None

    async def behind(self, since: Position) -> list[Publication] | str:
        """Return the first of what was delivered behind a position, or the reason why that can't be had.

        Nothing only if nothing lies behind it; and no publication is delivered between the return and the
        caller's next await. Raise Unavailable.
        """
        feed = self._feed
        if feed.top.translate(since) is None:
            # Another replica may have been told of a publication, or of a new epoch, before this one.
            await feed.until_level()
        while (after := feed.top.translate(since)) is not None:
            end = feed.position.offset
            if after > end:  # of an older epoch, of which this process still fills what it has missed
                await feed.until_level()
                continue
            run = feed.tail.run(after + 1, end, self._portion)
            if run or after == end:
                return run
            if (read := await self._read(after)) is not None:
                return unbroken(read, after + 1, self._portion) or TRIMMED
        return LOST

    async def start_of(self, last: int) -> Position:
        """Return the position behind which the `last` publications lie, or as many as are kept. Raise Unavailable.

        Of what one read returns nothing is missing behind it.
        """
        feed = self._feed
        while True:
            end = feed.position.offset
            after = max(0, end - last)
            if after == end or feed.tail.find(after + 1):
                return feed.top.at(after)
            if (read := await self._read(after)) is not None:
                return feed.top.at(_behind_last_hole(read, feed.position.offset))

    async def _read(self, after: int) -> list[Publication] | None:
        """Read what lies behind `after`, once for all who wait; None if the question has changed meanwhile."""
        feed = self._feed
        try:
            async with asyncio.timeout(CHECK_LIMIT), self._reading:
                end, epoch = feed.position.offset, feed.top.position.epoch
                if feed.tail.find(after + 1) or after >= end:
                    return None
                read = await feed.kept(after, min(end, after + READ_COUNT))
        except TimeoutError:
            raise Unavailable("Redis can't be asked for what you missed; try again.") from None
        except OtherEpoch:
            await feed.until_level()
            return None
        if feed.top.position.epoch != epoch:  # what was read may be lost, its offsets another's
            return None
        feed.tail.keep(read)
        return read


def _behind_last_hole(publications: list[Publication], end: int) -> int:
    """Return the offset behind which none of these is missing; `end` if there are none."""
    if not publications:
        return end
    start = publications[0].offset - 1
    for number, publication in enumerate(publications, start + 1):
        if publication.offset != number:
            return _behind_last_hole(publications[number - start - 1 :], end)
    return start
