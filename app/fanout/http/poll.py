"""`GET /poll/<group>`: what lies behind a position, at once if there is something, else when there is, or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

import msgspec

from fanout import protocol
from fanout.errors import BadFrame
from fanout.http.outbox import Outbox
from fanout.http.parameters import wanted
from fanout.http.places import about, check_may_join, visit
from fanout.http.polled import Durable, Ephemeral
from fanout.http.shelf import shelves_of
from fanout.hub import get_hub
from fanout.policy import policy_for
from fanout.replica import draining_of, replica_of

if TYPE_CHECKING:
    from fanout.asgi import Scope
    from fanout.http.answer import Answer
    from fanout.http.parameters import Wanted
    from fanout.http.places import Places
    from fanout.http.polled import Polled
    from fanout.http.request import Request

MEDIA_TYPE = "application/json"
WAIT = 25
"""Seconds that a poll waits at most: below the 30 s of many proxies and the 60 s of ours."""


async def answer_poll(request: Request, answer: Answer, group: str) -> None:
    """Answer one poll. Raise Problem before anything was written."""
    request.accepts(MEDIA_TYPE)
    stir = asyncio.Event()
    waiting = Waiting(request.scope, stir)
    async with visit(request.scope, waiting, paced=False) as places:
        seconds = wait_of(request.query.get("wait", [str(WAIT)])[-1])
        groups = wanted(group, request.query)
        for each in groups:
            await check_may_join(request.scope, each.group)
        with contextlib.ExitStack() as begun:
            polled = []
            for each in groups:
                await get_hub().admit(request.scope, each.group)
                polled.append(begun.enter_context(contextlib.closing(await _begin(places, each, stir))))
            if polled and not any(each.ready for each in polled):
                await _something(request, stir, seconds)
            for each in groups if waiting.doubted else ():
                await check_may_join(request.scope, each.group)
            items = [_item(each) for each in polled]
    await answer.whole(200, MEDIA_TYPE, _body(request.scope, items, single=bool(group)))


def _body(scope: Scope, items: list[bytes], *, single: bool) -> bytes:
    """Return what is said of the groups, as JSON: of the one in the path, or of those in the query."""
    replica = msgspec.json.encode(replica_of(scope))
    if single and len(items) == 1:
        return b'{"replica":%b,%b' % (replica, items[0].removeprefix(b"{"))
    return b'{"replica":%b,"groups":[%b]}' % (replica, b",".join(items))


class Waiting:
    """A poll that waits, as what watches over accounts sees it: whoever is doubted is looked at before the answer."""

    def __init__(self, scope: Scope, stir: asyncio.Event) -> None:
        self._scope = scope
        self._stir = stir
        self.doubted = False

    def dismiss(self, code: int, reason: str) -> None:  # noqa: ARG002 - the answer says it
        """See Holder: what is left is a guest."""
        from django.contrib.auth.models import AnonymousUser  # it needs Django's apps, this module does not

        self._scope["user"] = AnonymousUser()
        self.doubted = True
        self._stir.set()

    async def recheck(self) -> None:
        """See Holder."""
        self.doubted = True
        self._stir.set()


def wait_of(text: str) -> int:
    """Return the `wait` of a query. Raise BadFrame."""
    if not re.fullmatch(r"\d{1,2}", text, re.ASCII) or int(text) > WAIT:
        raise BadFrame(f"`wait` must be a number of seconds from 0 to {WAIT}, not {text[:20]!r}.")
    return int(text)


async def _begin(places: Places, each: Wanted, stir: asyncio.Event) -> Polled:
    """Take a place, from which on nothing is missed. Raise Problem."""
    with about(each.group):
        durable = policy_for(each.group).history is not None
        if durable and each.cursor is not None:
            raise BadFrame(f"{each.group} is durable: `since` must be a position, <epoch>:<offset>.")
        # The process stays in the group until the next poll comes by.
        shelf = await shelves_of(get_hub()).enter(each.group)
    outbox = Outbox(stir)
    if durable:
        return Durable(each, await places.take(each, outbox, present=False), outbox)
    if each.presence:
        await places.take(each, outbox, present=False)  # it stirs when somebody comes or goes
    return Ephemeral(each, shelf, stir)


async def _something(request: Request, stir: asyncio.Event, seconds: float) -> None:
    """Return when there is something, the client has gone, the replica drains, or so many seconds are over."""
    reasons = (stir.wait(), request.gone(), draining_of(request.scope).wait())
    tasks = [asyncio.ensure_future(reason) for reason in reasons]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _item(polled: Polled) -> bytes:
    """Return what is said of one group, as JSON."""
    said = polled.said()
    fields = {"group": polled.wanted.group, **said.fields()}
    if polled.wanted.presence and (view := get_hub().view(polled.wanted.group)) is not None:
        fields["presence"] = protocol.there(view)
    return b'%b,"publications":[%b]}' % (msgspec.json.encode(fields)[:-1], b",".join(said.publications))
