"""For how long a socket may wait for nothing, and be nobody's: one look a second at all of them, no timer for each."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from fanout import close_codes
from fanout.counters import counters
from fanout.errors import Unavailable
from fanout.limits.bounds import limits

if TYPE_CHECKING:
    from fanout.accounts.connected import Holder
    from fanout.asgi import Scope

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks: what a limit of minutes may be late."""


class Patience:
    """With the sockets of one hub's process."""

    def __init__(self) -> None:
        self._idle: dict[Holder, float] = {}
        self._strangers: dict[Holder, tuple[float, Scope]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def rests(self, holder: Holder) -> None:
        """A socket is in no group, and has just said something."""
        if limits().idle_seconds:
            self._idle.pop(holder, None)  # the last in the line
            self._idle[holder] = self._now() + limits().idle_seconds
            self._look_later()

    def works(self, holder: Holder) -> None:
        """It is in a group, or gone."""
        self._idle.pop(holder, None)

    def awaits_account(self, holder: Holder, scope: Scope) -> None:
        """It is to have an account soon."""
        if seconds := limits().unauthenticated_seconds:
            self._strangers[holder] = self._now() + seconds, scope
            self._look_later()

    def forgets(self, holder: Holder) -> None:
        """It is gone."""
        self._idle.pop(holder, None)
        self._strangers.pop(holder, None)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)

    def _look(self) -> None:
        self._timer, now = None, self._now()
        while self._idle and (first := next(iter(self._idle.items())))[1] <= now:
            del self._idle[first[0]]
            counters.limited["idle_seconds"] += 1
            seconds = limits().idle_seconds
            first[0].dismiss(close_codes.IDLE, f"In no group, and silent for {seconds} s: come back to join one.")
        while self._strangers and (stranger := next(iter(self._strangers.items())))[1][0] <= now:
            del self._strangers[stranger[0]]
            task = asyncio.create_task(self._ask(stranger[0], stranger[1][1]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._idle or self._strangers:
            self._look_later()

    async def _ask(self, holder: Holder, scope: Scope) -> None:
        from fanout.accounts.users import user_of  # it needs us, and Django's accounts

        try:
            if (await user_of(scope)).is_authenticated:
                return
        except Unavailable:  # nobody is sent away for what can't be known
            self.awaits_account(holder, scope)
            return
        counters.limited["unauthenticated_seconds"] += 1
        seconds = limits().unauthenticated_seconds
        holder.dismiss(close_codes.SESSION_ENDED, f"You need an account here within {seconds} s: log in.")
