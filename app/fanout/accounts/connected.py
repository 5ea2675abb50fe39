"""The accounts behind this process's open connections: what ends one, in any process, ends its connections within 5 s.

A log-out, a deleted session, a new password, an account that was locked, a permission that was taken: Django's signals
tell most of it to the fleet at once (revocation.py), and a look at the database every SWEEP_EVERY the rest. Both only
raise a doubt, but for a session that is gone; what the database says then decides. A connection that came with a
session which nobody has asked about ends with it at once, and is its account's from the next look on. One without a
session is not here and costs nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from channels.db import database_sync_to_async
from django.apps import apps
from django.db import DatabaseError

from fanout import close_codes
from fanout.accounts.rows import accounts_of, look_of, looks_of, rights_of, session_model, sessions_of, users_of
from fanout.accounts.session_cookie import session_key_in
from fanout.errors import TooManyConnections, Unavailable
from fanout.limits.admission import ALLOWANCE
from fanout.sparse_log import SparseLog

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from fanout.asgi import Scope
    from fanout.layers import FanoutLayer
    from fanout.limits.admission import Admission
    from fanout.publication import Publication

logger = logging.getLogger(__name__)

GROUP = "account-changes"
"""The group in which processes tell each other. Its kind is nobody's, so clients are kept out."""
HOLDER = "fanout.holder"
"""Where a scope holds whose it is, for as long as the connection lasts."""
ACCOUNT = "fanout.account"
"""Where it holds the Account behind it."""
CAME_WITH = "fanout.came-with"
"""Where it holds the key of the session that it came with, until somebody has looked whose that is."""
SWEEP_EVERY = 3.0
"""Seconds between two looks at the database: with the look itself below the 5 s promised."""
AT_ONCE = 32
"""Connections that are asked together what they may: a policy may wait for something of its own."""
RETRY = 1.0
"""Seconds before another attempt to listen while Redis is away."""
REASON = "Your session has ended: log in again."


class Holder(Protocol):
    """A client's connection, over whatever transport."""

    def dismiss(self, code: int, reason: str) -> None:
        """End the connection: who was behind it is not any more."""

    async def recheck(self) -> None:
        """Leave what the user may not be in any more."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who is behind a connection, as they were when they were looked up."""

    user: Any
    """The primary key."""
    session: str
    """A digest of the session's key; empty where there is none."""
    look: tuple[Any, ...]
    """What may not change unnoticed: see rows.py."""
    key: str = ""
    """The session's key, where it is a row of the database."""


class Accounts:
    """Those of one hub's process."""

    def __init__(self, layer: FanoutLayer, admission: Admission) -> None:
        self._layer = layer
        self._admission = admission
        self._scopes: dict[int, Scope] = {}
        self._unasked: dict[int, Scope] = {}
        """Those that came with a session nobody has looked up."""
        self._by_user: defaultdict[str, dict[int, Scope]] = defaultdict(dict)
        self._by_session: defaultdict[str, dict[int, Scope]] = defaultdict(dict)
        self._some = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._reviews: set[asyncio.Task[None]] = set()
        self._forget_layer: Callable[[], None] = lambda: None
        self._log = SparseLog(logger)
        self._rights: dict[Any, int | None] = {}
        """What groups and permissions an account had at the last sweep; None: it could not be looked at since."""

    def __len__(self) -> int:
        return len(self._scopes)

    def hold(self, scope: Scope, holder: Holder) -> None:
        """Know who holds a connection: one that came with a session ends with it, whoever asks for its user or nobody.

        Nothing is looked up here.
        """
        scope[HOLDER] = holder
        key = session_key_in(scope)
        if key is None or ACCOUNT in scope or not apps.is_installed("django.contrib.auth"):
            return
        scope[CAME_WITH] = key
        self._unasked[id(scope)] = self._by_session[digest_of(key)][id(scope)] = scope
        self._watch()

    def note(self, scope: Scope, user: Any, session_key: str | None) -> None:
        """Watch over a connection whose user was just looked up; one of nobody's, or that nobody holds, is left out."""
        was_known = ACCOUNT in scope
        self.forget(scope)
        if HOLDER not in scope or not user.is_authenticated:
            if was_known and HOLDER in scope:  # a backend of the project's own knows it no more
                scope[HOLDER].dismiss(close_codes.SESSION_ENDED, REASON)
            return
        digest = digest_of(session_key) if session_key else ""
        scope[ACCOUNT] = Account(user.pk, digest, look_of(user), session_key or "")
        self._scopes[id(scope)] = self._by_user[str(user.pk)][id(scope)] = scope
        if digest:
            self._by_session[digest][id(scope)] = scope
        self._watch()
        if ALLOWANCE in scope and not was_known:
            self._begin(self._count(scope, user))

    def forget(self, scope: Scope) -> None:
        """Watch no more. Harmless when repeated."""
        if key := scope.pop(CAME_WITH, None):
            self._unasked.pop(id(scope), None)
            _drop(self._by_session, digest_of(key), scope)
        account: Account | None = scope.pop(ACCOUNT, None)
        if account is not None:
            del self._scopes[id(scope)]
            _drop(self._by_user, str(account.user), scope)
            _drop(self._by_session, account.session, scope)
        if not self._scopes and not self._unasked:
            self._some.clear()

    def stop(self) -> None:
        """Watch over nothing more."""
        for task in (*self._tasks, *self._reviews):
            task.cancel()
        self._forget_layer()

    def _watch(self) -> None:
        """Listen and look from now on."""
        self._some.set()
        if not self._tasks:
            self._forget_layer = self._layer.on_back(self._doubt_all)
            self._tasks = [asyncio.create_task(step) for step in (self._listen(), self._sweep())]

    # -- what others tell ---------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                await self._layer.subscribe(GROUP, self._heard)
            except Unavailable:
                await asyncio.sleep(RETRY)
            else:
                return

    def _heard(self, publication: Publication) -> None:
        match msgspec.json.decode(publication.data):
            case {"session": str(digest)}:
                self._dismiss(self._by_session.get(digest, {}).values())
            case {"users": list(users)}:
                self._doubt([scope for user in users for scope in self._by_user.get(str(user), {}).values()])
            case _:  # all of them, or what a later version says
                self._doubt_all()

    def _doubt_all(self) -> None:
        self._doubt(list(self._scopes.values()))

    def _doubt(self, scopes: list[Scope]) -> None:
        if scopes:
            self._begin(self._review(scopes))

    def _begin(self, step: Coroutine[Any, Any, None]) -> None:
        # In a context of its own: within one process the telling comes from a thread that waits for its end.
        task = asyncio.create_task(step, context=contextvars.Context())
        self._reviews.add(task)
        task.add_done_callback(self._reviews.discard)

    async def _count(self, scope: Scope, user: Any) -> None:
        """Count a connection for its account; it goes when that has as many already."""
        try:
            await self._admission.enter_account(scope, user)
        except TooManyConnections as refused:
            if HOLDER in scope:
                self.forget(scope)
                scope[HOLDER].dismiss(close_codes.TOO_MANY, str(refused))

    # -- what the database says -----------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(SWEEP_EVERY)
            try:
                await self._adopt()
                scopes = list(self._scopes.values())
                accounts = {scope[ACCOUNT] for scope in scopes}
                gone, changed, rights = await database_sync_to_async(_differing)(accounts)
            except DatabaseError as error:  # who is known stays known
                self._log.warning("can't look who has logged out: %s", error)
                continue
            changed |= {user for user, now in rights.items() if self._rights.get(user, now) != now}
            self._rights = {**rights}
            still = [scope for scope in scopes if ACCOUNT in scope]
            self._dismiss([scope for scope in still if scope[ACCOUNT].key in gone])
            self._doubt([scope for scope in still if ACCOUNT in scope and scope[ACCOUNT].user in changed])

    async def _adopt(self) -> None:
        """Give each connection that came with a session the account that is behind it. Raise DatabaseError."""
        scopes = list(self._unasked.values())
        if not scopes or session_model() is None:  # what Django tells of a log-out has to do
            return
        found = await database_sync_to_async(accounts_of)({scope[CAME_WITH] for scope in scopes})
        for scope in scopes:
            if (key := scope.get(CAME_WITH)) is None:  # somebody has asked meanwhile, or it has gone
                continue
            if (user := found.get(key)) is not None:
                self.note(scope, user, key)
            elif key in found:
                self._dismiss([scope])
            else:
                self.forget(scope)

    async def _review(self, scopes: list[Scope]) -> None:
        """Give each connection its user anew, or end it; it leaves what the user may not be in."""
        asked = {scope[ACCOUNT].user for scope in scopes if ACCOUNT in scope}
        try:
            users = await database_sync_to_async(users_of)(asked)
        except DatabaseError as error:
            self._log.warning("can't look who may still be here, the next sweep does: %s", error)
            self._rights |= dict.fromkeys(asked)
            return
        for at in range(0, len(scopes), AT_ONCE):
            await asyncio.gather(*(self._renew(scope, users) for scope in scopes[at : at + AT_ONCE]))

    async def _renew(self, scope: Scope, users: dict[Any, Any]) -> None:
        account: Account | None = scope.get(ACCOUNT)
        if account is None:  # it has gone meanwhile
            return
        user = users.get(account.user)
        if user is None or not getattr(user, "is_active", True) or look_of(user)[0] != account.look[0]:
            self._dismiss([scope])
            return
        holder = scope[HOLDER]
        if "user" in scope:  # else nobody has asked yet, and who does looks by the session
            scope["user"] = user  # fresh for each: what Django remembers of permissions is the old user's
        self.note(scope, user, account.key or None)
        try:
            await holder.recheck()
        except Exception:  # a policy's own; the others are to be looked at all the same
            logger.exception("could not look whether a connection may stay in its groups; it is ended")
            holder.dismiss(close_codes.INTERNAL_ERROR, "Your groups could not be looked at.")

    def _dismiss(self, scopes: Iterable[Scope]) -> None:
        for scope in tuple(scopes):
            self.forget(scope)
            scope[HOLDER].dismiss(close_codes.SESSION_ENDED, REASON)


def _drop(index: dict[str, dict[int, Scope]], key: str, scope: Scope) -> None:
    if key in index:
        index[key].pop(id(scope), None)
        if not index[key]:
            del index[key]


def digest_of(session_key: str) -> str:
    """Return what is said of a session where others may hear it: who has its key has the session."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:32]


def _differing(accounts: set[Account]) -> tuple[set[str], set[Any], dict[Any, int]]:
    """Return the session keys that are gone, the users that are not as they were, and what rights all have."""
    keys = {account.key for account in accounts if account.key}
    known = {account.user: account.look for account in accounts}
    now = looks_of(set(known))
    changed = {user for user, look in known.items() if now.get(user) != look}
    return keys - sessions_of(keys), changed, rights_of(set(known))
