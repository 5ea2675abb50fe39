"""Who is behind a connection: the user of its session, looked up by Channels' own stack when somebody asks.

`AuthMiddlewareStack` looks at each connection (about 440 µs, and a thread); here one that brings no session costs
neither that nor a query, and one that does costs its queries at the first question.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.sessions import SessionMiddlewareStack
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError

from fanout.accounts.connected import HOLDER
from fanout.accounts.session_cookie import session_key_in
from fanout.errors import Unavailable
from fanout.hub import get_hub

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.base_user import AbstractBaseUser

    from fanout.asgi import Scope

    User = AbstractBaseUser | AnonymousUser

RECHECK = 60.0
"""Seconds after which an open connection's user is looked up again when somebody asks: what connected.py can't see, as
a backend of the project's own that knows the user no more."""
TICKETED = "fanout.users.ticketed"
"""Where a scope holds that its user came by a ticket that stands for no session: connected.py alone watches over it."""
SESSION = "fanout.users.session"
"""Where a scope holds the key of its user's session."""
LOADED = "fanout.users.loaded"
"""Where a scope holds when its user was looked up, of the process' monotonic clock."""


async def user_of(scope: Scope) -> User:
    """Return the user, kept as `scope["user"]`; AnonymousUser without a session that holds. Raise Unavailable.

    While the database is away, who is known stays known. What an `AuthMiddlewareStack` around the application has found
    is taken as it is.
    """
    loaded: float | None = scope.get(LOADED)
    if "user" in scope and (loaded is None or time.monotonic() - loaded < RECHECK or TICKETED in scope):
        user: User = scope["user"]
        if loaded is None and HOLDER in scope and user.is_authenticated:
            _watch(scope, user, _session_key(scope))
        return user
    if session_key_in(scope) is None:
        scope["user"] = AnonymousUser()
        return scope["user"]  # type: ignore[no-any-return] # a scope holds anything
    try:
        user, session_key = await _look_up(scope)
    except DatabaseError:
        if loaded is None:
            raise Unavailable("Who you are can't be looked up now; try again.") from None
        return scope["user"]  # type: ignore[no-any-return] # as above
    scope["user"] = user
    _watch(scope, user, session_key)
    return user


async def become(scope: Scope, session_key: str) -> bool:
    """Make the connection that session's; leave it as it was if that is nobody's (any more). Raise Unavailable."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={session_key}".encode()
    headers = [*(header for header in scope["headers"] if header[0] != b"cookie"), (b"cookie", cookie)]
    asked = {name: value for name, value in scope.items() if name not in ("session", "cookies")}
    try:
        user, found = await _look_up({**asked, "headers": headers})
    except DatabaseError:
        raise Unavailable("Who you are can't be looked up now; try again.") from None
    if not user.is_authenticated:
        return False
    scope["headers"], scope["user"] = headers, user
    scope.pop(TICKETED, None)
    _watch(scope, user, found)
    return True


async def has_permissions(scope: Scope, *names: str) -> bool:
    """Whether the user has all of Django's permissions of these names (`app.codename`). Raise Unavailable."""
    user = await user_of(scope)
    if not user.is_authenticated or not names:
        return not names
    try:
        allowed: Callable[..., bool] = getattr(user, "has_perms", lambda _names: False)
        return bool(await database_sync_to_async(allowed)(names))
    except DatabaseError:
        raise Unavailable("What you may do can't be looked up now; try again.") from None


def _watch(scope: Scope, user: User, session_key: str | None) -> None:
    """Remember when the user was looked up, and have what ends the account end the connection."""
    scope[LOADED], scope[SESSION] = time.monotonic(), session_key
    if HOLDER in scope:
        get_hub().accounts.note(scope, user, session_key)


def _session_key(scope: Scope) -> str | None:
    return getattr(scope.get("session"), "session_key", None)


async def name_of(scope: Scope) -> str | None:
    """Return the name of the user's account; None for a guest. Raise Unavailable."""
    user = await user_of(scope)
    return user.get_username() if user.is_authenticated else None


async def _look_up(scope: Scope) -> tuple[User, str | None]:
    found: list[tuple[User, str | None]] = []

    async def note(inner: Scope, _receive: Any, _send: Any) -> None:
        found.append((await get_user(inner), _session_key(inner)))

    await SessionMiddlewareStack(note)(dict(scope), None, None)
    return found[0]
