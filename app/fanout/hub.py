"""The hub of this process: group to local subscriptions. It alone joins groups on the channel layer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from fanout.delivery import Delivery
from fanout.feed import Feed
from fanout.heartbeat import Heartbeat
from fanout.policy import policy_for
from fanout.publishing import default_layer, publish_on
from fanout.roster import Roster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanout.encoder import Encoder
    from fanout.layers import FanoutLayer
    from fanout.positions import Position
    from fanout.presence import View
    from fanout.publication import Publication
    from fanout.sockets import Socket


CHECK_EVERY = 1.5
"""Seconds between two looks at the position of a quiet durable group: with the look itself below the 2 s promised."""
CLOSE_LIMIT = 3.0
"""Seconds for the last words of a process; past the 2 s in which Redis answers or does not."""


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
    """Behind the last of `recovered`; the subscription goes on there."""
    recovered: Sequence[Publication] = ()
    reset: str | None = None
    """Why the client's position could not be gone on from; `recovered` is empty then, never a part."""
    view: View | None = None
    """Who is there, for a client that asked; what changes from now on is told."""


class Hub:
    """Delivers the publications of groups to the sockets of this process.

    Durable group: every subscription gets every publication once, in order; it resumes behind its position
    on any replica with no gap and no double, or is told `reset`. Holes are noticed at the next publication
    or within 2 s and filled from the stream.

    Ephemeral group: a subscription gets every publication that is made after `join` returned, once and in
    the order of its publisher, as long as this process keeps its connection to Redis.

    Presence, where the kind keeps it: who is in the group over the fleet; a process that dies without a word
    is gone from it within 15 s. Who asked is told at most once a second.

    There is one delivery path: what this process publishes comes back to it through the layer like
    everything else. A socket whose outbox is full is closed with 4008.
    """

    def __init__(self, layer: FanoutLayer) -> None:
        self._layer = layer
        self._members: dict[str, _Members] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._heartbeat = Heartbeat(layer, self._forget, self._refresh)
        self._ending: set[asyncio.Task[None]] = set()
        self._filled = 0

    async def join(  # noqa: PLR0913 - all but the place itself by name
        self,
        group: str,
        socket: Socket,
        encoder: Encoder,
        *,
        since: Position | None = None,
        last: int = 0,
        info: Any = None,
        watch: bool = False,
    ) -> Entry:
        """Subscribe the socket; in force when it returns. Raise Unavailable.

        In a durable group the client goes on behind `since`, or gets the `last` n publications first.
        `info` is what the group's presence says of the client; who is there is told to it if it asks to `watch`.
        No publication is delivered between the return and the caller's next await: what it sends
        there (`joined`, the recovered ones) arrives first.
        """
        members = self._members.get(group)
        if members is None:
            members = self._members[group] = _Members(group, self._layer, self._heartbeat)
            self._watch()
        members.joining += 1
        try:
            await asyncio.shield(members.membership)
            entry = await members.enter(Subscription(group, socket, encoder), since, last)
            if members.roster is not None:
                entry = _present(entry, members.roster, info, watch=watch)
        finally:
            members.joining -= 1
            self._release(members)
        return entry

    def leave(self, subscription: Subscription) -> None:
        """End a subscription; nothing is delivered to it any more. Harmless when repeated."""
        members = self._members.get(subscription.group)
        if members is not None:
            members.leave(subscription)
            self._release(members)

    async def publish(self, group: str, data: Any, *, key: str | None = None) -> Position | None:
        """Publish `data` (anything JSON can say) to the group, fleet-wide.

        Returns when Redis has taken it, not when clients have it: in a durable group the position, behind
        which it is in the stream; the same `key` within five minutes is one publication. In an ephemeral
        group None, and the key says nothing. Raise BadData, TooLarge, Unavailable or KeyConflict.
        """
        return await publish_on(self._layer, group, data, key)

    @property
    def groups(self) -> dict[str, int]:
        """Subscriptions of this process by group."""
        return {group: members.delivery.sockets for group, members in self._members.items()}

    @property
    def filled(self) -> int:
        """Publications of durable groups that were missed live and delivered from the stream, since the beginning."""
        return self._filled + sum(members.filled for members in self._members.values())

    def _release(self, members: _Members) -> None:
        """Leave the group on the layer when nobody here is in it or about to be."""
        if members.delivery.sockets or members.joining or self._members.get(members.group) is not members:
            return
        del self._members[members.group]
        self._filled += members.filled
        members.end()
        if members.roster is not None:
            task = asyncio.create_task(members.roster.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def aclose(self) -> None:
        """Tell the fleet what this process still has to say, and end. No socket is left by then."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=CLOSE_LIMIT)
        self._heartbeat.stop()
        if self._watcher is not None:
            self._watcher.cancel()

    # -- holes that nobody sees: a lost connection, a message that never came ------------------------------

    def _watch(self) -> None:
        if self._watcher is None:
            self._layer.on_back(self._mend_all)
            self._watcher = asyncio.create_task(self._check_quiet())

    def _mend_all(self) -> None:
        for members in self._members.values():
            members.mend()
        self._refresh()

    def _refresh(self) -> None:
        for members in self._members.values():
            if members.roster is not None:
                members.roster.refresh()

    def _forget(self, processes: frozenset[str]) -> None:
        for members in self._members.values():
            if members.roster is not None:
                members.roster.forget(processes)

    async def _check_quiet(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY)
            quiet = [members.feed for members in self._members.values() if members.feed and members.feed.quiet()]
            await asyncio.gather(*(feed.check() for feed in quiet))


class _Members:
    """Who is in one group in this process."""

    def __init__(self, group: str, layer: FanoutLayer, heartbeat: Heartbeat) -> None:
        policy = policy_for(group)
        self.group = group
        self.joining = 0
        self._layer = layer
        self.delivery = Delivery(group, policy)
        deliver, reset = self.delivery.deliver, self.delivery.reset
        self.feed = Feed(group, layer, deliver, reset) if policy.history else None
        self.roster = Roster(group, policy, layer, heartbeat) if policy.presence else None
        self._receiver = self.feed.take if self.feed else deliver
        self.membership = asyncio.ensure_future(self._begin())

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
        if self.feed is not None:
            self.feed.stop()
        if not self.membership.done():
            self.membership.cancel()
        elif not self.membership.cancelled() and self.membership.exception() is None:
            self._layer.unsubscribe(self.group, self._receiver)

    def leave(self, subscription: Subscription) -> None:
        """End a subscription; harmless when repeated."""
        self.delivery.remove(subscription.socket, subscription.encoder)
        if self.roster is not None and subscription.member is not None:
            self.roster.exit(subscription.member)
            self.roster.unwatch(subscription.socket, subscription.encoder)

    def mend(self) -> None:
        """Look for publications that were missed while the connection was lost."""
        if self.feed is not None:
            self.feed.mend()

    async def enter(self, subscription: Subscription, since: Position | None, last: int) -> Entry:
        """Add a subscription, and return what it has to be told first."""
        if self.feed is None:
            self.delivery.add(subscription.socket, subscription.encoder)
            return Entry(subscription)
        behind: Sequence[Publication] | str = ()
        if since is not None:
            behind = await self.feed.behind(since)
        elif last:
            behind = await self.feed.last(last)
        self.delivery.add(subscription.socket, subscription.encoder)
        if isinstance(behind, str):
            return Entry(subscription, self.feed.position, reset=behind)
        return Entry(subscription, self.feed.position, behind)


def _present(entry: Entry, roster: Roster, info: Any, *, watch: bool) -> Entry:
    """Return the entry of a subscription that has become a member of the group."""
    place = replace(entry.subscription, member=roster.enter(info))
    view = roster.watch(place.socket, place.encoder) if watch else None
    return replace(entry, subscription=place, view=view)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def get_hub() -> Hub:
    """Return the hub of the running event loop: one for a replica, which has one loop.

    Raises TypeError when the default channel layer is none of fanout's.
    """
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub(default_layer())
    return hub


def filled() -> int:
    """Return how many publications the hub of the running event loop had to fetch from streams; 0 without a hub."""
    hub = _hubs.get(asyncio.get_running_loop())
    return hub.filled if hub is not None else 0


async def close_hub() -> None:
    """End the hub of the running event loop, if it has one: the last thing a process does."""
    hub = _hubs.pop(asyncio.get_running_loop(), None)
    if hub is not None:
        await hub.aclose()
