"""Who is in one group in this process, and what each was told when it came."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fanout.counters import counters
from fanout.delivery import Delivery
from fanout.durable.feed import Feed
from fanout.durable.follower import Follower
from fanout.durable.recovery import Recovery
from fanout.policy import policy_for
from fanout.presence.roster import Roster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanout.encoder import Encoder
    from fanout.layers import FanoutLayer
    from fanout.positions import Position
    from fanout.presence.heartbeat import Heartbeat
    from fanout.presence.view import View
    from fanout.publication import Publication
    from fanout.sockets import Socket


@dataclass(frozen=True, slots=True)
class Subscription:
    """One client's place in one group."""

    group: str
    socket: Socket
    encoder: Encoder
    member: str | None = None
    """Its name in the group's presence; None where the kind keeps none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a join gave: the place, and in a durable group what lies behind the client's position."""

    subscription: Subscription
    position: Position | None = None
    """Behind the last of what is recovered; the subscription goes on there."""
    recovered: Sequence[Publication] = ()
    """To be sent next, by who joined."""
    following: int = 0
    """Recovered publications that the hub sends by itself instead, being too many for one write."""
    reset: str | None = None
    """Why the client's position could not be gone on from; nothing is recovered then, never a part."""
    view: View | None = None
    """Who is there, for a client that asked; what changes from now on is told."""


class Members:
    """Who is in one group in this process."""

    def __init__(self, group: str, layer: FanoutLayer, heartbeat: Heartbeat) -> None:
        policy = policy_for(group)
        self.group = group
        self.joining = 0
        self.timer: asyncio.TimerHandle | None = None
        """Until the group is left, nobody having been in it."""
        self._layer = layer
        self.delivery = Delivery(group, policy)
        self.feed = self._recovery = None
        if policy.history:
            self.feed = Feed(group, layer, self.delivery.deliver, self.delivery.reset, lambda: self.delivery.crowded)
            self._recovery = Recovery(self.feed, self.delivery.portion)
        self._followers: dict[tuple[Socket, Encoder], Follower] = {}
        self.roster = Roster(group, policy, layer, heartbeat) if policy.presence else None
        self._receiver = self.feed.take if self.feed else self.delivery.deliver
        self.membership = asyncio.ensure_future(self._begin())

    @property
    def sockets(self) -> int:
        """How many there are."""
        return self.delivery.sockets + len(self._followers)

    @property
    def empty(self) -> bool:
        """Whether nobody is here or about to be."""
        return not self.sockets and not self.joining

    @property
    def subscribed(self) -> bool:
        """Whether the group has been joined on the layer."""
        task = self.membership
        return task.done() and not task.cancelled() and task.exception() is None

    async def _begin(self) -> None:
        await self._layer.subscribe(self.group, self._receiver, self.roster.take if self.roster else None)
        # Subscribed first: nothing falls between the position, or who is there, and what comes live.
        try:
            if self.feed is not None:
                await self.feed.start()
            if self.roster is not None:
                await self.roster.start()
        except BaseException:
            self._layer.unsubscribe(self.group, self._receiver)
            raise

    @property
    def filled(self) -> int:
        """Publications that were missed live and delivered from the stream."""
        return self.feed.filled if self.feed else 0

    def end(self) -> None:
        """Leave the group on the layer."""
        if self.timer is not None:
            self.timer.cancel()
        if self.feed is not None:
            self.feed.stop()
        if not self.membership.done():
            self.membership.cancel()
        elif self.subscribed:
            self._layer.unsubscribe(self.group, self._receiver)

    def leave(self, subscription: Subscription) -> None:
        """End a subscription; harmless when repeated."""
        place = subscription.socket, subscription.encoder
        if place in self._followers:
            self._followers.pop(place).stop()
        self.delivery.remove(*place)
        if self.roster is not None:
            if subscription.member is not None:
                self.roster.exit(subscription.member)
            self.roster.unwatch(subscription.socket, subscription.encoder)

    def mend(self) -> None:
        """Look for publications that were missed while the connection was lost."""
        if self.feed is not None:
            self.feed.mend()

    async def enter(self, subscription: Subscription, since: Position | None, last: int) -> Entry:
        """Add a subscription, and return what it has to be told first."""
        if self.feed is None or self._recovery is None:
            self.delivery.add(subscription.socket, subscription.encoder)
            return Entry(subscription)
        run, reset = await self._recovery.first(since, last)
        if since is not None:
            counters.resumes["reset" if reset else "recovered"] += 1
        if reset:
            counters.resets[reset] += 1
        position = self.feed.position
        count = position.offset - run[0].offset + 1 if run else 0
        if self._at_once(subscription.socket, run, count):
            self.delivery.add(subscription.socket, subscription.encoder)
            return Entry(subscription, position, run, reset=reset)
        self._follow(subscription, self._recovery, self.feed.top.at(position.offset - count))
        return Entry(subscription, position, following=count, reset=reset)

    def introduce(self, entry: Entry, info: Any, *, watch: bool, present: bool) -> Entry:
        """Make who has entered a member of the presence, where the kind keeps one, or have it only look at who is."""
        if self.roster is None:
            return entry
        place = replace(entry.subscription, member=self.roster.enter(info) if present else None)
        view = self.roster.watch(place.socket, place.encoder) if watch else None
        return replace(entry, subscription=place, view=view)

    def _at_once(self, socket: Socket, run: Sequence[Publication], count: int) -> bool:
        """Whether all that is recovered leaves in one write, with nothing before it."""
        return not self.delivery.crowded and (not run or (len(run) == count and not socket.queued_bytes))

    def _follow(self, subscription: Subscription, recovery: Recovery, since: Position) -> None:
        """Have the socket catch up with the group before it is one of its audience."""
        place = subscription.socket, subscription.encoder

        def arrived() -> None:
            del self._followers[place]
            self.delivery.add(*place)

        if place in self._followers:
            self._followers[place].stop()
        self._followers[place] = Follower(subscription, recovery, self.delivery, since, arrived)
