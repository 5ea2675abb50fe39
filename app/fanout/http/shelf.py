"""A group that is polled: the process stays in it between two polls, and keeps an ephemeral one's latest values.

A poller's place in an ephemeral group is a cursor, ":<shelf>.<number>.<µs>": in the same process the number tells what
it has had already; in another one the time at which the publisher made it, less OVERLAP, so that none is missed. A
value may come twice then; of each value only the latest does.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

from fanout.http.parcels import ENCODER, PUBLICATION, Parcel
from fanout.limits.bounds import outbox_limit
from fanout.policy import policy_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanout.hub import Hub
    from fanout.members import Subscription
    from fanout.sockets import Socket

LINGER = 60.0
"""Seconds after the last poll in which the group is kept: a poll and the way back to another replica and here again."""
SHELVES_LIMIT = 1000
"""Groups that a process stays in for nobody: one that polls thousands is no reason to be in all of them."""
OVERLAP = 500_000
"""Microseconds by which hosts' clocks may differ, and publications overtake each other."""


class ShelfBroadcaster:
    """Lays the same parcels on shelves; see Broadcaster."""

    def broadcast(self, sockets: Iterable[Shelf], payloads: Sequence[bytes], limit: int) -> None:  # noqa: ARG002 - bounded by its values
        """See Broadcaster."""
        for shelf in sockets:
            shelf.put(cast("Sequence[Parcel]", payloads))

    def offer(self, sockets: Iterable[Shelf], payloads: Sequence[bytes]) -> list[Shelf]:
        """See Broadcaster."""
        self.broadcast(sockets, payloads, 0)
        return []


class Shelf:
    """One polled group of this process. `wakers` are set when something new comes."""

    broadcaster = ShelfBroadcaster()

    def __init__(self, hub: Hub, group: str) -> None:
        self.group = group
        self.wakers: set[asyncio.Event] = set()
        self._hub = hub
        self._ephemeral = policy_for(group).history is None
        self._limit = outbox_limit(policy_for(group))
        self._id = secrets.token_hex(4)
        self._number = 0
        self._newest = 0
        self._values: dict[str | None, tuple[int, Parcel]] = {}
        self._place: asyncio.Task[Subscription] | None = None

    async def enter(self) -> None:
        """Join the group, once for all who poll. Raise Unavailable."""
        if self._place is None:
            self._place = asyncio.create_task(self._join())
        place = self._place
        try:
            await asyncio.shield(place)
        except Exception:
            if self._place is place:
                self._place = None  # the next one tries again
            raise

    def leave(self) -> None:
        """Leave the group."""
        place = self._place
        if place is None or not place.done():
            if place is not None:
                place.cancel()
        elif not place.cancelled() and place.exception() is None:
            self._hub.leave(place.result())

    def close(self, code: int, reason: str) -> None:
        """See Socket; nothing is ever held back for a shelf."""

    def put(self, parcels: Sequence[Parcel]) -> None:
        """Keep the latest of each value."""
        if not self._ephemeral:  # a poll of a durable group has a place of its own
            return
        for parcel in parcels:
            if parcel.kind != PUBLICATION or parcel.publication is None:
                continue
            self._number += 1
            self._newest = max(self._newest, _microseconds(parcel))
            self._values.pop(parcel.publication.value_key, None)
            self._values[parcel.publication.value_key] = (self._number, parcel)
        while len(self._values) > 1 and sum(len(parcel) for _, parcel in self._values.values()) > self._limit:
            self._values.pop(next(iter(self._values)))  # the oldest
        for waker in self.wakers:
            waker.set()

    def behind(self, cursor: str) -> list[Parcel]:
        """Return the values behind a cursor, in the order in which they came."""
        shelf, number, time = cursor.removeprefix(":").split(".")
        if shelf == self._id:
            return [parcel for came, parcel in self._values.values() if came > int(number)]
        after = int(time) - OVERLAP
        return [parcel for _, parcel in self._values.values() if _microseconds(parcel) > after]

    def last(self, count: int) -> list[Parcel]:
        """Return the newest values."""
        return [parcel for _, parcel in self._values.values()][-count:] if count else []

    def cursor(self, since: str | None) -> str:
        """Return the place behind all that is here, for who had `since`."""
        before = int(since.rpartition(".")[2]) if since else 0
        return f":{self._id}.{self._number}.{max(before, self._newest)}"

    async def _join(self) -> Subscription:
        entry = await self._hub.join(self.group, cast("Socket", self), ENCODER, present=False)
        return entry.subscription


class Shelves:
    """The shelves of one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._shelves: dict[str, Shelf] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def enter(self, group: str) -> Shelf:
        """Return the shelf of a group, joined; it is kept for LINGER seconds more. Raise Unavailable."""
        shelf = self._shelves.pop(group, None) or Shelf(self._hub, group)
        self._shelves[group] = shelf  # the last in the line of those that may be dropped
        self._keep(group)
        if (surplus := len(self._shelves) - SHELVES_LIMIT) > 0:
            idle = [name for name, each in self._shelves.items() if not each.wakers and each is not shelf]
            for name in idle[:surplus]:
                self._drop(name)
        await shelf.enter()
        return shelf

    def _keep(self, group: str) -> None:
        if timer := self._timers.get(group):
            timer.cancel()
        self._timers[group] = asyncio.get_running_loop().call_later(LINGER, self._drop, group)

    def _drop(self, group: str) -> None:
        self._timers.pop(group).cancel()
        shelf = self._shelves[group]
        if shelf.wakers:  # somebody waits at it
            self._keep(group)
        else:
            del self._shelves[group]
            shelf.leave()


_shelves: WeakKeyDictionary[Hub, Shelves] = WeakKeyDictionary()


def shelves_of(hub: Hub) -> Shelves:
    """Return the shelves of a hub."""
    return _shelves.get(hub) or _shelves.setdefault(hub, Shelves(hub))


def _microseconds(parcel: Parcel) -> int:
    assert parcel.publication is not None  # noqa: S101 - `put` keeps no other
    return int(parcel.publication.published_at * 1_000_000)
