"""Taking a place in a group for a client over HTTP: the same policies, limits and hub as over a WebSocket."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

from fanout.data import encode_data
from fanout.errors import FanoutError, Forbidden, TooLarge
from fanout.http.parcels import ENCODER
from fanout.http.problems import problem_of
from fanout.hub import get_hub
from fanout.policy import policy_for
from fanout.protocol import INFO_LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fanout.accounts.connected import Holder
    from fanout.asgi import Scope
    from fanout.http.outbox import Outbox
    from fanout.http.parameters import Wanted
    from fanout.hub import Hub
    from fanout.members import Entry, Subscription
    from fanout.sockets import Socket


class Places:
    """The places of one request; all are left together."""

    def __init__(self, scope: Scope, hub: Hub) -> None:
        self._scope = scope
        self._hub = hub
        self._subscriptions: list[Subscription] = []

    async def take(self, wanted: Wanted, outbox: Outbox, *, present: bool) -> Entry:
        """Join a group, as a member of its presence or not. Raise Problem."""
        with about(wanted.group):
            info = await self._info(wanted) if present else None
            entry = await self._hub.join(
                wanted.group,
                cast("Socket", outbox),  # the hub only broadcasts to it and closes it
                ENCODER,
                since=wanted.since,
                last=wanted.last,
                info=info,
                watch=wanted.presence,
                present=present,
            )
        self._subscriptions.append(entry.subscription)
        return entry

    def leave(self) -> None:
        """Leave them all."""
        for subscription in self._subscriptions:
            self._hub.leave(subscription)

    async def _info(self, wanted: Wanted) -> Any:
        if wanted.info is not None and len(encode_data(wanted.info)) > INFO_LIMIT:
            raise TooLarge(f"`info` may hold {INFO_LIMIT} bytes of JSON.")
        return await policy_for(wanted.group).member(self._scope, wanted.group, wanted.info)


@contextlib.asynccontextmanager
async def visit(scope: Scope, holder: Holder, *, paced: bool = True) -> AsyncIterator[Places]:
    """Let a client in for one request, and go with all the places that it has taken. Raise TooFast, TooManyConnections.

    `paced`: see Admission.
    """
    hub = get_hub()
    places = Places(scope, hub)
    hub.accounts.hold(scope, holder)
    try:
        await hub.admission.enter(scope, paced=paced)
        yield places
    finally:
        places.leave()
        hub.let_go(scope)


async def check_may_join(scope: Scope, group: str) -> None:
    """Raise Problem 403 unless the group's policy lets the client in."""
    with about(group):
        if not await policy_for(group).may_join(scope, group):
            raise Forbidden(f"You may not join {group}.")


@contextlib.contextmanager
def about(group: str) -> Iterator[None]:
    """Have an error say which group it is about."""
    try:
        yield
    except FanoutError as error:
        raise problem_of(error, group) from None
