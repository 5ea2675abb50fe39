"""The hub of this process: group to local subscriptions. It alone joins groups on the channel layer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from fanout.accounts.connected import HOLDER, Accounts
from fanout.counters import counters
from fanout.limits.admission import Admission
from fanout.limits.patience import Patience
from fanout.members import Members, Subscription
from fanout.presence import roster
from fanout.presence.heartbeat import Heartbeat
from fanout.publishing import default_layer, publish_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.asgi import Scope
    from fanout.encoder import Encoder
    from fanout.layers import FanoutLayer
    from fanout.members import Entry
    from fanout.positions import Position
    from fanout.presence.view import View
    from fanout.sockets import Socket


CHECK_EVERY = 1.5
"""Seconds between two looks at the position of a quiet durable group: with the look itself below the 2 s promised."""
CLOSE_LIMIT = 3.0
"""Seconds for the last words of a process; past the 2 s in which Redis answers or does not."""


class Hub:
    """Delivers the publications of groups to the sockets of this process.

    Durable group: every subscription gets every publication once, in order; it resumes behind its position
    on any replica with no gap and no double, or is told `reset`. Gaps are noticed at the next publication
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
        self._members: dict[str, Members] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._heartbeat = Heartbeat(layer, self._forget, self._refresh)
        self.admission = Admission(layer)
        self.accounts = Accounts(layer, self.admission)
        self.patience = Patience()
        self._ending: set[asyncio.Task[None]] = set()
        self._filled = 0
        self._forget_layer: Callable[[], None] = lambda: None

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
        present: bool = True,
    ) -> Entry:
        """Subscribe the socket; in force when it returns. Raise Unavailable.

        In a durable group the client goes on behind `since`, or gets the `last` n publications first.
        `info` is what the group's presence says of the client, if it is `present` at all; who is there is told to
        it if it asks to `watch`.
        No publication is delivered between the return and the caller's next await: what it sends
        there (`joined`, the recovered ones) arrives first. What is too much for one write follows by itself,
        in portions, and the live ones behind it; a socket that reads none of it is closed with 4008.
        """
        members = self._members.get(group)
        if members is None:
            members = self._members[group] = Members(group, self._layer, self._heartbeat)
            self._watch()
        members.joining += 1
        try:
            await asyncio.shield(members.membership)
            entry = await members.enter(Subscription(group, socket, encoder), since, last)
            entry = members.introduce(entry, info, watch=watch, present=present)
        finally:
            members.joining -= 1
            self._release(members)
        counters.joins += 1
        return entry

    def leave(self, subscription: Subscription) -> None:
        """End a subscription; nothing is delivered to it any more. Harmless when repeated."""
        members = self._members.get(subscription.group)
        if members is not None:
            members.leave(subscription)
            self._release(members)

    async def publish(self, group: str, data: Any, *, key: str | None = None) -> Position | None:
        """Publish `data` (anything JSON can say) to the group, fleet-wide.

        Returns when Redis has taken it, not when clients have it: in a durable group the publication's position;
        the same `key` within five minutes is one publication, and a repeat returns the first one's. In an ephemeral
        group None, and the key says nothing. Raise BadData, TooLarge, Unavailable or KeyConflict.
        """
        return await publish_on(self._layer, group, data, key)

    async def admit(self, scope: Scope, group: str) -> None:
        """Let a client join or publish to a group that may be new. Raise TooFast, Unavailable."""
        await self.admission.begin_group(scope, group, here=group in self._members)

    def let_go(self, scope: Scope) -> None:
        """Forget a client whose connection ends: its account, what it is counted for, what it was waited for.

        Harmless when repeated, and for one that was not let in.
        """
        self.accounts.forget(scope)
        self.admission.leave(scope)
        if (holder := scope.pop(HOLDER, None)) is not None:  # the scope holds it, and it the scope
            self.patience.forgets(holder)

    def view(self, group: str) -> View | None:
        """Return who is in a group of which somebody here is told; None where the kind keeps no presence."""
        members = self._members.get(group)
        return members.roster.view if members is not None and members.roster is not None else None

    @property
    def groups(self) -> dict[str, int]:
        """Subscriptions of this process by group."""
        return {group: members.sockets for group, members in self._members.items() if members.sockets}

    @property
    def publications(self) -> dict[str, int]:
        """Publications that came for each of these groups, since somebody here is in it."""
        return {group: members.delivery.publications for group, members in self._members.items() if members.sockets}

    @property
    def filled(self) -> int:
        """Publications of durable groups that were missed live and delivered from the stream, since the beginning."""
        return self._filled + sum(members.filled for members in self._members.values())

    def _release(self, members: Members) -> None:
        """Leave the group on the layer when nobody here is in it or about to be.

        Where presence is kept, a while later: who comes and goes all the time shall not make the fleet hear of it
        each time. The last word of a roster comes within an INTERVAL, the first one of the next not within another.
        """
        if not members.empty or self._members.get(members.group) is not members:
            return
        if members.roster is None or not members.subscribed:
            self._end(members)
        else:
            if members.timer is not None:
                members.timer.cancel()
            members.timer = asyncio.get_running_loop().call_later(2 * roster.INTERVAL, self._end_if_empty, members)

    def _end_if_empty(self, members: Members) -> None:
        if members.empty:
            self._end(members)

    def _end(self, members: Members) -> None:
        del self._members[members.group]
        self._filled += members.filled
        members.end()
        if members.roster is not None:
            task = asyncio.create_task(members.roster.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def aclose(self) -> None:
        """Tell the fleet what this process still has to say, and end. No socket is left by then."""
        for members in [members for members in self._members.values() if members.empty]:
            self._end(members)
        if self._ending:
            await asyncio.wait(self._ending, timeout=CLOSE_LIMIT)
        self._heartbeat.stop()
        self.accounts.stop()
        self.admission.stop()
        self.patience.stop()
        if self._watcher is not None:
            self._watcher.cancel()
        self._forget_layer()

    # -- gaps that nobody sees: a lost connection, a message that never came -------------------------------

    def _watch(self) -> None:
        if self._watcher is None:
            self._forget_layer = self._layer.on_back(self._mend_all)
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


def hub_here() -> Hub | None:
    """Return the hub of the running event loop; None if nobody has asked for it yet."""
    return _hubs.get(asyncio.get_running_loop())


def filled() -> int:
    """Return how many publications the hub of the running event loop had to fetch from streams; 0 without a hub."""
    hub = hub_here()
    return hub.filled if hub is not None else 0


async def close_hub() -> None:
    """End the hub of the running event loop, if it has one: the last thing a process does."""
    hub = _hubs.pop(asyncio.get_running_loop(), None)
    if hub is not None:
        await hub.aclose()
