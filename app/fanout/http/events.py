"""`GET /events/<group>`: the frames of `fanout.v1` as Server-Sent Events, resumed by `Last-Event-ID` on any replica.

A publication is a message without a name, every other frame an event named as its `type`; the data is the frame. The
`id` is the position reached with it, of several groups those of all: `<group>@<epoch>:<offset>,…`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING

from fanout import close_codes, protocol
from fanout.http.outbox import Outbox
from fanout.http.parameters import text_of, wanted
from fanout.http.parcels import ENCODER, JOINED, PUBLICATION, Parcel
from fanout.http.places import check_may_join, visit
from fanout.hub import get_hub
from fanout.limits.admission import ALLOWANCE
from fanout.policy import policy_for
from fanout.replica import draining_of, replica_of
from fanout.session import RETRY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fanout.http.answer import Answer
    from fanout.http.parameters import Wanted
    from fanout.http.request import Request
    from fanout.members import Entry

MEDIA_TYPE = "text/event-stream"
HEADERS = {"x-accel-buffering": "no"}
"""A proxy of nginx' kind in front of ours passes on what comes when it comes, too."""

HEARTBEAT = 15.0
"""Seconds of silence before a comment: a quarter of nginx' read timeout, and half of what most proxies allow."""
PULSE = b":\n\n"
PORTION = 64 * 1024
"""Bytes that are written at once: what a client recovers is made as fast as it reads."""
LEAVING_RATE = 400.0
"""Streams that a drain ends in a second: as many as WebSockets."""
LEAVING_LIMIT = 8.0
"""Seconds in which all have ended, below the 10 s that a server gives to answers under way."""

_open: set[EventStream] = set()


def open_streams() -> int:
    """Return how many streams this process has open."""
    return len(_open)


async def stream_events(request: Request, answer: Answer, group: str) -> None:
    """Answer a request for events until the client goes, is too slow, or the replica drains."""
    request.accepts(MEDIA_TYPE)
    await EventStream(request, answer, group).run()


class EventStream:
    """One stream of events."""

    def __init__(self, request: Request, answer: Answer, group: str) -> None:
        self._request = request
        self._answer = answer
        self._group = group
        self._wanted: list[Wanted] = []
        self._outbox = Outbox()
        self._behind: deque[Iterator[Parcel]] = deque()
        self._reached: dict[str, str] = {}
        self._leaving = False

    async def run(self) -> None:
        """Join, then write until it is over. Raise Problem before anything was written."""
        scope, hub = self._request.scope, get_hub()
        async with visit(scope, self) as places:
            if ALLOWANCE in scope:
                hub.patience.awaits_account(self, scope)
            self._ask()
            for each in self._wanted:
                await check_may_join(scope, each.group)
            for each in self._wanted:
                await hub.admit(scope, each.group)
                self._welcome(each, await places.take(each, self._outbox, present=True))
            await self._answer.begin(MEDIA_TYPE, HEADERS)
            await self._write_until_over()

    def dismiss(self, code: int, reason: str) -> None:
        """See Holder: the stream is cut, and what the client asks next is answered to who it is by then."""
        self._outbox.close(code, reason)

    async def recheck(self) -> None:
        """See Holder."""
        for each in self._wanted:
            if not await policy_for(each.group).may_join(self._request.scope, each.group):
                self.dismiss(close_codes.FORBIDDEN, f"You may not be in {each.group} any more.")

    def _ask(self) -> None:
        """Read what is asked for, which costs something: the client has been let in. Raise Problem."""
        told = self._request.headers.get("last-event-id", "")
        self._wanted = wanted(self._group, self._request.query, told)
        self._reached = {each.group: text_of(each.since) for each in self._wanted if each.since}

    def _welcome(self, place: Wanted, entry: Entry) -> None:
        """Have the client told that it is in, and what it has missed, before all that comes live."""
        frame = protocol.joined(protocol.Join(place.group), replica_of(self._request.scope), entry)
        # What is recovered moves the position by itself, one by one.
        position = None if entry.recovered or entry.following else entry.position
        joined = Parcel.of(frame, JOINED, place.group, position)
        self._behind.append(chain([joined], map(ENCODER.publication, entry.recovered)))

    async def _write_until_over(self) -> None:
        writing = asyncio.create_task(self._write())
        gone = asyncio.create_task(self._request.gone())
        closed = asyncio.create_task(self._outbox.closed.wait())
        leaving = asyncio.create_task(self._leave_when(draining_of(self._request.scope)))
        _open.add(self)
        try:
            await asyncio.wait({writing, gone, closed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            _open.discard(self)
            for task in (writing, gone, closed, leaving):
                task.cancel()
            await asyncio.gather(gone, closed, leaving, return_exceptions=True)
            with contextlib.suppress(OSError, asyncio.CancelledError):  # the client is gone
                await writing

    async def _write(self) -> None:
        # Each client gets a wait of its own: after a replica's death they do not come back all at once.
        await self._answer.part(b"retry: %d\n\n" % random.randint(RETRY_MS // 2, RETRY_MS * 3 // 2))  # noqa: S311 - no secret
        for parcels in self._behind:
            await self._write_all(parcels)
        self._behind.clear()
        while True:
            if not await self._outbox.changed(HEARTBEAT):
                await self._answer.part(PULSE)
            taken = self._outbox.take()
            await self._write_all(taken)
            self._outbox.delivered(taken)
            if self._leaving:
                await self._answer.end(farewell(random.randrange(RETRY_MS)))  # noqa: S311 - no secret
                return

    async def _write_all(self, parcels: Iterable[Parcel]) -> None:
        """Write events, in portions."""
        text = bytearray()
        for parcel in parcels:
            text += self._event(parcel)
            if len(text) >= PORTION:
                await self._answer.part(bytes(text))
                text.clear()
        if text:
            await self._answer.part(bytes(text))

    def _event(self, parcel: Parcel) -> bytes:
        name = b"" if parcel.kind == PUBLICATION else b"event: %b\n" % parcel.kind.encode()
        mark = b""
        if parcel.position is not None:
            self._reached[parcel.group] = text_of(parcel.position)
            mark = b"id: %b\n" % self._id().encode()
        return b"%b%bdata: %b\n\n" % (name, mark, parcel)

    def _id(self) -> str:
        if len(self._wanted) == 1:
            return next(iter(self._reached.values()))
        return ",".join(f"{group}@{position}" for group, position in self._reached.items())

    async def _leave_when(self, draining: asyncio.Event) -> None:
        """End the stream when the replica drains, not all at once if there are many."""
        await draining.wait()
        seconds = min(LEAVING_LIMIT, len(_open) / LEAVING_RATE)
        await asyncio.sleep(random.random() * seconds)  # noqa: S311 - no secret
        self._leaving = True
        self._outbox.wake()


def farewell(retry: int) -> bytes:
    """Return the event that ends a stream: the client comes back after `retry` ms, by itself as a browser does."""
    return b"event: reconnect\nretry: %d\ndata: %b\n\n" % (retry, protocol.reconnect(retry))
