"""The session that a connection's cookie names, read as Channels' own middleware reads it, and not looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import parse_cookie

if TYPE_CHECKING:
    from fanout.asgi import Scope


def session_key_in(scope: Scope) -> str | None:
    """Return the key; None for a guest without one, whom this costs a look at the headers.

    What can be no key is none: an escaped zero byte would be an error of the database for all who are looked up, too.
    """
    for name, value in scope.get("headers", ()):
        if name == b"cookie":
            cookie: str = settings.SESSION_COOKIE_NAME
            if cookie.encode() not in value:
                return None
            key = parse_cookie(value.decode("latin1")).get(cookie, "")
            return key if key and key.isascii() and key.isprintable() else None
    return None
