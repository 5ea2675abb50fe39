"""One durable group in this process: its publications in order, without gaps.

The layer delivers live publications; this class compares offsets. A gap, another epoch or a connection
that was lost and made anew is mended from the stream before anything behind it is delivered; what can't
be mended is told as a reset.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from fanout.counters import counters
from fanout.durable.tail import Tail
from fanout.errors import Unavailable
from fanout.history import READ_COUNT
from fanout.positions import OtherEpoch, Position, Top

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.layers import FanoutLayer
    from fanout.publication import Publication

logger = logging.getLogger(__name__)

WAITING_LIMIT = 64
"""Live publications that wait while gaps are filled; of more the stream is asked again."""
CHECK_LIMIT = 5.0
"""Seconds that a client who comes back waits for a Redis that is away before it is told to try again."""
LATELY = 0.2
"""Seconds for which a group is not quiet: with the 1.5 s between two looks still below the 2 s promised."""
RETRY = 0.5
"""Seconds before an attempt to mend is repeated while Redis is away."""
BREATH = 0.005
"""Seconds between two looks whether what was delivered has left."""

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
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        """`crowded` tells whether what was delivered waits to leave: then nothing more is read from the stream."""
        self._group = group
        self._layer = layer
        self._deliver = deliver
        self._reset = reset
        self._crowded = crowded
        self._known: Top | None = None
        self.tail = Tail()
        self._waiting: list[Publication] = []
        self._mending: asyncio.Task[None] | None = None
        self._asked = self._answered = 0
        """Requests to mend, and those of them that have been served."""
        self._served = asyncio.Condition()
        self._delivered_at = float("-inf")
        self.filled = 0
        """Publications that were delivered from the stream, having been missed live, or being late by a round trip."""

    @property
    def position(self) -> Position:
        """Behind the last publication that was delivered."""
        return self.top.at(self._offset)

    @property
    def top(self) -> Top:
        """The stream as this process has delivered it: what it knows of its epochs, and how far it has come."""
        assert self._known is not None  # noqa: S101 - the hub starts a feed before it uses it
        return self._known

    @property
    def _offset(self) -> int:
        return self.top.position.offset

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
            self._wait(publication)
        elif not self._next(publication):
            self._waiting.append(publication)
            self.mend()

    def _wait(self, publication: Publication) -> None:
        if len(self._waiting) >= WAITING_LIMIT and self._mending is not None:
            self._waiting.clear()
            self._asked += 1
        self._waiting.append(publication)

    def _next(self, publication: Publication) -> bool:
        """Deliver it if it is the next one; return whether it is dealt with (delivered, or known already)."""
        at, new = self.top.position, publication.position
        if new is None or new.epoch in self.top.past:  # what survived of an older epoch was delivered before
            return True
        if new.epoch != at.epoch or new.offset > at.offset + 1:
            return False
        if new.offset == at.offset + 1:
            self._advance(publication)
        return True

    def _advance(self, publication: Publication) -> None:
        self._known = self.top.moved_to(self._offset + 1)
        self._delivered_at = asyncio.get_running_loop().time()
        self.tail.add(publication)
        self._deliver(publication)

    def _catch_up(self) -> None:
        """Deal with what came in meanwhile."""
        waiting, self._waiting = self._waiting, []
        for number, publication in enumerate(waiting):
            if not self._next(publication):
                self._waiting = waiting[number:]
                self.mend()
                return

    # -- gaps ---------------------------------------------------------------------------------------------

    def mend(self) -> None:
        """Compare with the stream and deliver what is missing: after a gap, a lost connection, a silence."""
        self._asked += 1
        if self._mending is None and self._known is not None:
            self._mending = asyncio.create_task(self._mend_as_asked())

    async def _mend_as_asked(self) -> None:
        try:
            while self._answered < self._asked:
                asked = self._asked
                if await self._try_to_mend():
                    async with self._served:
                        self._answered = asked
                        self._served.notify_all()
                else:
                    await asyncio.sleep(RETRY)
        finally:
            self._mending = None
        self._catch_up()

    async def _try_to_mend(self) -> bool:
        """Return False while Redis is away, or has begun another epoch meanwhile."""
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
        came = _in_order(self._waiting)
        self._waiting = []
        top = await self._layer.top(self._group)
        after = top.translate(self.position)
        if after is None:
            self._begin_anew(top, LOST)
            return
        # The positions of a new epoch go on where the old one's survivors ended.
        self._known = top.moved_to(after)
        filled = self.filled
        while self._offset < top.position.offset:
            if not await self._fill(min(top.position.offset, self._offset + READ_COUNT), came):
                self._begin_anew(top, TRIMMED)
                return
            while self._crowded():  # noqa: ASYNC110 - the end of a timer has no event
                await asyncio.sleep(BREATH)  # a gap of any size is held a portion at a time
        counters.gaps += self.filled > filled

    async def _fill(self, through: int, came: set[int]) -> bool:
        """Deliver the next ones from the stream; return False if the next one is gone. `came` are no gap."""
        before = self._offset
        for publication in await self.kept(before, through):
            if publication.offset != self._offset + 1:
                break
            self.filled += publication.offset not in came
            self._advance(publication)
        return self._offset > before

    def _begin_anew(self, top: Top, reason: str) -> None:
        logger.warning("reset %s at %s: %s", self._group, top.position, RESET_REASONS[reason])
        counters.gaps += 1
        self._known = top
        self.tail.clear()
        self._reset(self.position, reason)

    async def kept(self, after: int, through: int) -> list[Publication]:
        """Return the first of what the stream still holds of the publications after+1 to through, as in `layer.read`.

        Raise OtherEpoch, Unavailable.
        """
        top = self.top
        kept = await self._layer.read(self._group, Position(top.position.epoch, after), through)
        return [replace(each, position=top.at(each.position.offset)) for each in kept if each.position]

    def quiet(self) -> bool:
        """Whether nothing was delivered lately: then nothing would show a gap."""
        return self._mending is None and asyncio.get_running_loop().time() - self._delivered_at > LATELY

    async def check(self) -> None:
        """Compare with the stream's position, and mend if it is another; harmless while Redis is away."""
        try:
            top = await self._layer.top(self._group)
        except Unavailable:
            return
        if self._known is not None and top.position != self.top.position:
            self.mend()

    async def until_level(self) -> None:
        """Return when this feed is level with the stream. Raise Unavailable."""
        self.mend()
        asked = self._asked
        try:
            async with asyncio.timeout(CHECK_LIMIT), self._served:
                await self._served.wait_for(lambda: self._answered >= asked)
        except TimeoutError:
            raise Unavailable("Redis can't be asked for your position; try again.") from None


def _in_order(publications: list[Publication]) -> set[int]:
    """Return the offsets of those that came live before any later one."""
    came, last = set(), 0
    for publication in publications:
        if publication.offset > last:
            last = publication.offset
            came.add(last)
    return came
