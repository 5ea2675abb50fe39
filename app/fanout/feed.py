"""One durable group in this process: its publications in order, without holes, and the tail for those who come back.

The layer delivers live publications; this class compares offsets. A hole, another epoch or a connection
that was lost and made anew is mended from the stream before anything behind it is delivered; what can't
be mended is told as a reset.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from fanout.errors import Unavailable
from fanout.positions import OtherEpoch, Position, Top

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.layers import FanoutLayer
    from fanout.publication import Publication

logger = logging.getLogger(__name__)

TAIL = 256
"""Publications kept for those who come back: a reconnect within seconds is served without asking Redis."""
READ_AT_ONCE = 100
"""Publications a read from the stream: bounds what one answer of Redis holds, and how long it takes from others."""
CHECK_LIMIT = 5.0
"""Seconds that a client who comes back waits for a Redis that is away before it is told to try again."""
LATELY = 0.2
"""Seconds for which a group is not quiet: with the 1.5 s between two looks still below the 2 s promised."""
RETRY = 0.5
"""Seconds before an attempt to mend is repeated while Redis is away."""

TRIMMED = "trimmed"
LOST = "lost"
RESET_REASONS = {
    TRIMMED: "The history behind your position is not kept any more.",
    LOST: "Your position is not in this stream: writes were lost, or it belongs to another epoch.",
}


class Feed:
    """The stream of one durable group as this process has delivered it."""

    def __init__(
        self,
        group: str,
        layer: FanoutLayer,
        deliver: Callable[[Publication], None],
        reset: Callable[[Position, str], None],
    ) -> None:
        self._group = group
        self._layer = layer
        self._deliver = deliver
        self._reset = reset
        self._known: Top | None = None
        self._tail: deque[Publication] = deque()
        self._waiting: list[Publication] = []
        self._mending: asyncio.Task[None] | None = None
        self._asked = self._answered = 0
        """Requests to mend, and those of them that have been served."""
        self._served = asyncio.Condition()
        self._reading = asyncio.Lock()
        self._delivered_at = float("-inf")
        self.filled = 0
        """Publications that were missed live and delivered from the stream; what a stream began with is none."""

    @property
    def position(self) -> Position:
        """Behind the last publication that was delivered."""
        return self._top.at(self._offset)

    @property
    def _top(self) -> Top:
        """The stream as this process has delivered it: what it knows of its epochs, and how far it has come."""
        assert self._known is not None  # noqa: S101 - the hub starts a feed before it uses it
        return self._known

    @property
    def _offset(self) -> int:
        return self._top.position.offset

    async def start(self) -> None:
        """Begin at the newest position; the live publications must be coming in already. Raise Unavailable."""
        self._known = await self._layer.top(self._group)
        self._catch_up()

    def stop(self) -> None:
        """Deliver nothing more."""
        if self._mending is not None:
            self._mending.cancel()

    # -- live -------------------------------------------------------------------------------------------

    def take(self, publication: Publication) -> None:
        """Deliver a live publication now, or behind what is missing before it."""
        if publication.position is None:  # an event of group_send: it has no place in the stream
            self._deliver(publication)
        elif self._known is None or self._mending is not None:
            self._waiting.append(publication)
        elif not self._next(publication):
            self._waiting.append(publication)
            self.mend()

    def _next(self, publication: Publication) -> bool:
        """Deliver it if it is the next one; return whether it is dealt with (delivered, or known already)."""
        at, new = self._top.position, publication.position
        if new is None or new.epoch in self._top.past:  # what survived of an older epoch was delivered before
            return True
        if new.epoch != at.epoch or new.offset > at.offset + 1:
            return False
        if new.offset == at.offset + 1:
            self._advance(publication)
        return True

    def _advance(self, publication: Publication) -> None:
        self._known = self._top.moved_to(self._offset + 1)
        self._delivered_at = asyncio.get_running_loop().time()
        self._tail.append(publication)
        while len(self._tail) > TAIL and not self._reading.locked():
            self._tail.popleft()
        self._deliver(publication)

    def _catch_up(self) -> None:
        """Deal with what came in meanwhile."""
        waiting, self._waiting = self._waiting, []
        for number, publication in enumerate(waiting):
            if not self._next(publication):
                self._waiting = waiting[number:]
                self.mend()
                return

    # -- holes --------------------------------------------------------------------------------------------

    def mend(self) -> None:
        """Compare with the stream and deliver what is missing: after a hole, a lost connection, a silence."""
        self._asked += 1
        if self._mending is None and self._known is not None:
            self._mending = asyncio.create_task(self._mend())

    async def _mend(self) -> None:
        try:
            while self._answered < self._asked:
                asked = self._asked
                if await self._mended():
                    async with self._served:
                        self._answered = asked
                        self._served.notify_all()
                else:
                    await asyncio.sleep(RETRY)
        finally:
            self._mending = None
        self._catch_up()

    async def _mended(self) -> bool:
        """Try to mend; return False while Redis is away, or has begun another epoch meanwhile."""
        try:
            await self._mend_once()
        except (Unavailable, OtherEpoch):
            return False
        except Exception:  # the group must not stand still for ever
            logger.exception("could not mend %s, trying again", self._group)
            return False
        return True

    async def _mend_once(self) -> None:
        # What came before the question is in the stream that answers, or lost.
        covered = len(self._waiting)
        top = await self._layer.top(self._group)
        came = _in_order(self._waiting[:covered])
        del self._waiting[:covered]
        after = top.translate(self.position)
        if after is None:
            self._begin_anew(top, LOST)
            return
        # The positions of a new epoch go on where the old one's survivors ended.
        self._known = top.moved_to(after)
        while self._offset < top.position.offset:
            through = min(top.position.offset, self._offset + READ_AT_ONCE)
            missed = await self._read(self._offset, through)
            if missed is None:
                self._begin_anew(top, TRIMMED)
                return
            for publication in missed:
                self._advance(publication)
                self.filled += self._offset not in came

    def _begin_anew(self, top: Top, reason: str) -> None:
        logger.warning("reset %s at %s: %s", self._group, top.position, RESET_REASONS[reason])
        self._known = top
        self._tail.clear()
        self._reset(self.position, reason)

    async def _read(self, after: int, through: int) -> list[Publication] | None:
        """Return the publications after+1 to through; None if one of them is gone."""
        publications = await self._kept(after, through)
        offsets = [publication.position.offset for publication in publications if publication.position]
        return publications if offsets == list(range(after + 1, through + 1)) else None

    async def _kept(self, after: int, through: int) -> list[Publication]:
        """Return what the stream still holds of the publications after+1 to through."""
        top = self._top
        kept = await self._layer.read(self._group, Position(top.position.epoch, after), through)
        return [replace(each, position=top.at(each.position.offset)) for each in kept if each.position]

    def quiet(self) -> bool:
        """Whether nothing was delivered lately: then nothing would show a hole."""
        return self._mending is None and asyncio.get_running_loop().time() - self._delivered_at > LATELY

    async def check(self) -> None:
        """Compare with the stream's position, and mend if it is another; harmless while Redis is away."""
        try:
            top = await self._layer.top(self._group)
        except Unavailable:
            return
        if self._known is not None and top.position != self._top.position:
            self.mend()

    # -- coming back ----------------------------------------------------------------------------------------

    async def behind(self, since: Position) -> list[Publication] | str:
        """Return all that was delivered behind a position, or the reason why that can't be had.

        What it returns ends at `position`, and no publication is delivered between its return and the
        caller's next await. Raise Unavailable.
        """
        if self._translate(since) is None:
            # Another replica may have been told of a publication, or of a new epoch, before this one.
            await self._checked()
        while (after := self._translate(since)) is not None:
            if self._first() <= after + 1:
                return list(self._tail)[after + 1 - self._first() :]
            try:
                if not await self._extend(after):
                    return TRIMMED
            except OtherEpoch:
                await self._checked()
        return LOST

    async def last(self, count: int) -> list[Publication]:
        """Return the newest publications, at most `count`, as many as are kept. Raise Unavailable."""
        try:
            await self._extend_to(count)
        except OtherEpoch:
            await self._checked()
            await self._extend_to(count)
        return list(self._tail)[-count:]

    async def _extend_to(self, count: int) -> None:
        """Read the tail back until it has `count` publications, or all that are kept."""
        async with self._reading:
            while (missing := min(count, self._offset) - len(self._tail)) > 0:
                first = self._first()
                after = max(0, first - 1 - min(missing, READ_AT_ONCE))
                older = await self._kept(after, first - 1)
                if self._first() != first:  # a reset has emptied the tail meanwhile
                    continue
                whole = _unbroken(older, first - 1)
                self._tail.extendleft(reversed(whole))
                if len(whole) < first - 1 - after:
                    return  # trimmed, or not to be read: there is no more

    def _translate(self, since: Position) -> int | None:
        return self._top.translate(since)

    async def _checked(self) -> None:
        """Return when this feed is level with the stream. Raise Unavailable."""
        self.mend()
        asked = self._asked
        try:
            async with asyncio.timeout(CHECK_LIMIT), self._served:
                await self._served.wait_for(lambda: self._answered >= asked)
        except TimeoutError:
            raise Unavailable("Redis can't be asked for your position; try again.") from None

    def _first(self) -> int:
        """Return the first offset of the tail; the next offset if the tail is empty."""
        return self._offset + 1 - len(self._tail)

    async def _extend(self, after: int) -> bool:
        """Read the tail back to behind `after`, once for all who wait; return whether it is all there."""
        async with self._reading:
            while self._first() > after + 1:
                first = self._first()
                missed = await self._read(max(after, first - 1 - READ_AT_ONCE), first - 1)
                if missed is None:
                    return False
                if self._first() == first:  # no reset has emptied the tail meanwhile
                    self._tail.extendleft(reversed(missed))
        return True


def _in_order(publications: list[Publication]) -> set[int]:
    """Return the offsets of those that came live before any later one."""
    came, last = set(), 0
    for publication in publications:
        if publication.position is not None and publication.position.offset > last:
            last = publication.position.offset
            came.add(last)
    return came


def _unbroken(publications: list[Publication], last: int) -> list[Publication]:
    """Return the publications that end at the offset `last` without a hole between them."""
    kept: list[Publication] = []
    for publication in reversed(publications):
        if publication.position is None or publication.position.offset != last - len(kept):
            break
        kept.append(publication)
    return kept[::-1]
