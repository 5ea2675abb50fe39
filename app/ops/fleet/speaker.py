"""This replica's part of the fleet's page: a row a second while somebody looks, and a journal all the time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from fanout.api import apublish
from fanout.counters import counters
from fanout.errors import FanoutError
from fanout.http.events import open_streams
from fanout.hub import hub_here
from fanout.replica import EXTENSION, draining_of, replica_of
from fanout.resident import memory_mib
from fanout.viewers import Viewers
from ops.fleet.journal import Journal, State
from ops.fleet.row import TICK, Rates, read_now
from ops.readiness import OK
from ops.version import versions

if TYPE_CHECKING:
    from fanout.asgi import Scope
    from ops.readiness import Readiness

FLEET = "ops.fleet"
LEFT = "left"
"""The state of the last row of a replica whose exit was planned."""


class Speaker:
    """Costs a look at a dozen counts a second while nobody looks at the page."""

    def __init__(self, scope: Scope, readiness: Readiness) -> None:
        self._name = replica_of(scope)
        self._status = scope.get("extensions", {}).get(EXTENSION, {}).get("status", dict)
        self._draining = draining_of(scope)
        self._readiness = readiness
        self._run = f"{os.getpid()}-{time.time():.0f}"
        """Tells this process from the next one of the same name."""
        self._begun = time.monotonic()
        self._journal = Journal(f"has started, version {versions()['version']}, process {os.getpid()}")
        self._rates = Rates()
        self._task: asyncio.Task[None] | None = None
        self.viewers = Viewers(FLEET, self._name)

    def start(self) -> None:
        """Begin. Harmless when repeated."""
        self.viewers.start()
        if self._task is None:
            self._task = asyncio.create_task(self._speak())

    async def stop(self) -> None:
        """Say that this replica has left, if anybody looks, and nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.viewers.look:
            self._journal.note("wait", "has left as planned")
            await self._publish(state=LEFT)
        await self.viewers.stop()

    async def _speak(self) -> None:
        draining = asyncio.ensure_future(self._draining.wait())
        try:
            while True:
                looked = self.viewers.look
                self._rates.add(read_now(groups=looked))
                self._note()
                if looked:
                    await self._publish()
                if draining.done():  # told once at once, and then in time with all else
                    await asyncio.sleep(TICK)
                else:
                    await asyncio.wait({draining}, timeout=TICK)
        finally:
            draining.cancel()

    def _note(self) -> None:
        own = self._status()
        state = State(
            checks=dict(self._readiness.checks),
            draining=self._draining.is_set(),
            connections=own.get("connections"),
            lag=self._readiness.lag.now,
            too_slow=own.get("too_slow", 0) + counters.too_slow,
            reconnects=counters.reconnects,
            resets=dict(counters.resets),
        )
        self._journal.look(state)

    async def _publish(self, **more: Any) -> None:
        with contextlib.suppress(FanoutError):  # while Redis is away; what has happened is told when it is back
            await apublish(FLEET, {**self._row(), **more})

    def _row(self) -> dict[str, Any]:
        own, hub = self._status(), hub_here()
        return {
            "replica": self._name,
            "run": self._run,
            "pid": os.getpid(),
            "state": self._readiness.state(draining=self._draining.is_set()),
            "trouble": [result[:200] for result in self._readiness.checks.values() if result != OK],
            "version": versions()["version"],
            "uptime": round(own.get("uptime", time.monotonic() - self._begun)),
            "connections": own.get("connections"),
            "streams": open_streams(),
            "memory": memory_mib(),
            "lag": round(1000 * self._readiness.lag.now, 1),
            **self._rates.numbers(hub.groups if hub is not None else {}),
            "events": self._journal.events,
        }


_speakers: WeakKeyDictionary[asyncio.AbstractEventLoop, Speaker] = WeakKeyDictionary()


def speaker_of(scope: Scope, readiness: Readiness) -> Speaker:
    """Return this process's Speaker, listening for viewers from the first call on."""
    loop = asyncio.get_running_loop()
    speaker = _speakers.get(loop)
    if speaker is None:
        speaker = _speakers[loop] = Speaker(scope, readiness)
    speaker.start()
    return speaker
