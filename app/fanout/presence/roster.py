"""One group's presence in this process: who is here is told to the fleet, who is elsewhere is heard from it."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Any

from fanout.audience import Audience
from fanout.errors import Unavailable
from fanout.limits.bounds import outbox_limit
from fanout.presence.throttle import Throttle
from fanout.presence.view import MEMBERS_LIMIT, Part, View, difference, merge

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from fanout.encoder import Encoder
    from fanout.layers import FanoutLayer
    from fanout.policy import Policy
    from fanout.presence.heartbeat import Heartbeat
    from fanout.sockets import Socket

INTERVAL = 1.0
"""Seconds between two messages about one group, from a process to the fleet and to a client: a mass join costs two."""
REPEAT_EVERY = 200.0
"""Seconds between two messages when nothing changes: mends what was lost on the way, keeps what is stored."""


class Roster:
    """Who is in a group. A client that watches is told by `presence` frames, at most one each INTERVAL."""

    def __init__(self, group: str, policy: Policy, layer: FanoutLayer, heartbeat: Heartbeat) -> None:
        self._group = group
        self._layer = layer
        self._heartbeat = heartbeat
        self._own: dict[str, Any] = {}
        self._parts: dict[str, Part] = {}
        self._told = View()
        self._spoken = self._ended = False
        self._said: int | None = None
        """Members of this process as the fleet has been told last."""
        self._watchers = Audience(outbox_limit(policy))
        self._announcing = Throttle(INTERVAL, self._announce)
        self._telling = Throttle(INTERVAL, self._tell)
        self._repeat: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Learn who is there; what is told live must be coming in already. Raise Unavailable."""
        self._heartbeat.start()
        await self._load()
        self._told = merge(self._parts.values())
        self._telling.cancel()
        self._repeat = asyncio.get_running_loop().call_later(REPEAT_EVERY, self._again)

    async def end(self) -> None:
        """Tell that nobody is here any more, however long Redis is away; nothing is told to watchers."""
        self._ended = True
        self._announcing.cancel()
        self._telling.cancel()
        if self._repeat is not None:
            self._repeat.cancel()
        self._own.clear()
        part = self._part()
        while self._spoken and self._said != 0 and not await self._announced(part):  # noqa: ASYNC110 - Redis has no event for "back"
            await asyncio.sleep(INTERVAL)

    # -- members of this process --------------------------------------------------------------------------

    def enter(self, info: Any) -> str:
        """Add a member; return its name in the group."""
        member = f"{self._heartbeat.process}-{self._heartbeat.next_number()}"
        self._own[member] = info
        self._announcing()
        self._said = None
        return member

    def exit(self, member: str) -> None:
        """Remove a member."""
        if self._own.pop(member, self) is not self:
            self._announcing()

    def watch(self, socket: Socket, encoder: Encoder) -> View:
        """Tell the socket what changes from now on; return what it changes from."""
        if not self._watchers.size:  # nobody was told for a while
            self._telling.cancel()
            self._told = merge(self._parts.values())
        self._watchers.add(socket, encoder)
        return self._told

    @property
    def view(self) -> View:
        """Who is there, as those who watch were told."""
        return self._told

    def unwatch(self, socket: Socket, encoder: Encoder) -> None:
        """Tell the socket nothing more."""
        self._watchers.remove(socket, encoder)

    # -- the fleet ------------------------------------------------------------------------------------------

    def take(self, part: Part) -> None:
        """Hear what a process, this one too, says of itself."""
        known = self._parts.get(part.process)
        if known is not None and known.number >= part.number:
            return
        # An empty part is kept, too: it is the newest of its process, whatever an older one that comes late says.
        self._parts[part.process] = part
        self._telling()

    def forget(self, processes: Iterable[str]) -> None:
        """Drop the members of processes that are gone."""
        if [part for process in processes if (part := self._parts.pop(process, None))]:
            self._telling()

    def refresh(self) -> None:
        """Say and ask everything anew: something may have been lost on the way."""
        self._announcing()
        self._spawn(self._reload())

    async def _reload(self) -> None:
        try:
            await self._load()
        except Unavailable:
            return  # when it is back, the layer says so, and this is called again

    async def _load(self) -> None:
        parts = await self._layer.presence(self._group)
        try:
            # Asked second: whoever has announced itself has beaten before, unless it is dead.
            alive = await self._heartbeat.beat()
        except Unavailable:  # of several hosts the one with the beats is away: nobody can be judged
            alive = frozenset(part.process for part in parts)
        for part in parts:
            if part.process in alive:
                self.take(part)
            else:
                await self._layer.forget(self._group, part)

    def _part(self) -> Part:
        named = dict(islice(self._own.items(), MEMBERS_LIMIT))
        return Part(self._heartbeat.process, self._heartbeat.next_number(), len(self._own), named)

    def _announce(self) -> None:
        self._spoken = True
        self._spawn(self._announce_or_retry())

    async def _announce_or_retry(self) -> None:
        if not await self._announced(self._part()) and not self._ended:
            self._announcing()

    async def _announced(self, part: Part) -> bool:
        shown = True
        try:
            await self._heartbeat.beat()  # first: a part whose process has no beat is taken for one of the dead
        except Unavailable:  # of several hosts the one with the beats is away: those who are there shall hear of it
            shown = False
        try:
            await self._layer.announce(self._group, part)
        except Unavailable:
            return False
        self._said = part.count
        return shown

    def _tell(self) -> None:
        told, self._told = self._told, merge(self._parts.values())
        change = difference(told, self._told)
        if change is not None and self._watchers.size:
            self._watchers.send(lambda encoder: [encoder.presence(self._group, change)])

    def _again(self) -> None:
        self._repeat = asyncio.get_running_loop().call_later(REPEAT_EVERY, self._again)
        self.refresh()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
