"""Single-use tickets: whoever can't send the session's cookie with a handshake shows one instead, within LIFETIME.

A ticket stands for the session that asked for it: what ends that ends the socket. The channel layer keeps it under a
hash of itself, with the session's key sealed by it: who reads Redis has neither a session nor a ticket.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

import msgspec
from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.db import DatabaseError

from fanout.accounts.users import TICKETED, become, user_of
from fanout.errors import BadTicket, Unavailable
from fanout.publishing import default_layer

if TYPE_CHECKING:
    from fanout.asgi import Scope

PREFIX = "ticket."
"""What the subprotocol that is a ticket begins with."""
LIFETIME = 30
"""Seconds: from a page that asks to its handshake, on a bad line; a stolen one is worth nothing afterwards."""
BYTES = 24
LENGTH_LIMIT = 64
"""Characters of a ticket that is looked for."""
REFUSED = "This ticket was used, is over, or was asked for by another page: ask for a new one."


class _Kept(msgspec.Struct):
    """What is kept of a ticket."""

    user: str
    hash: str
    origin: str | None = None
    session: str | None = None
    """Its key, sealed."""


async def issue(user: Any, *, session_key: str | None = None, origin: str | None = None) -> str:
    """Return a new ticket for a user; bound to a page's origin if there is one. Raise Unavailable.

    Without a session (a project's own way of logging programs in) what ends the account or changes its password ends
    the socket.
    """
    ticket = secrets.token_urlsafe(BYTES)
    sealed = _sealed(ticket, session_key.encode()).hex() if session_key else None
    kept = _Kept(str(user.pk), user.get_session_auth_hash(), origin, sealed)
    await default_layer().deposit(_name(ticket), msgspec.json.encode(kept), LIFETIME)
    return ticket


async def redeem(scope: Scope, ticket: str) -> None:
    """Make the connection its user's. Raise BadTicket for one that is not good (any more), Unavailable.

    Who is refused is who he was before.
    """
    found = await default_layer().collect(_name(ticket)) if 0 < len(ticket) <= LENGTH_LIMIT else None
    if found is None:
        raise BadTicket(REFUSED)
    kept = msgspec.json.decode(found, type=_Kept)
    if kept.origin is not None and kept.origin != origin_of(scope):
        raise BadTicket(REFUSED)
    if kept.session is None:
        scope["user"], scope[TICKETED] = await _user(kept), True
        await user_of(scope)
    elif not await become(scope, _sealed(ticket, bytes.fromhex(kept.session)).decode()):
        raise BadTicket(REFUSED)


def ticket_in(subprotocols: list[str]) -> str | None:
    """Return the ticket among what a handshake offers."""
    return next((each.removeprefix(PREFIX) for each in subprotocols if each.startswith(PREFIX)), None)


def origin_of(scope: Scope) -> str | None:
    """Return the page's origin, as its browser says it."""
    return next((value.decode("latin1") for name, value in scope["headers"] if name == b"origin"), None)


async def _user(kept: _Kept) -> Any:
    """Return the user of a ticket without session, as long as it is active and has the same password."""
    model: Any = get_user_model()
    try:
        user = await database_sync_to_async(model._default_manager.filter(pk=kept.user).first)()  # noqa: SLF001 - documented
    except DatabaseError:
        raise Unavailable("Who you are can't be looked up now; try again.") from None
    is_good = user is not None and user.is_active and secrets.compare_digest(user.get_session_auth_hash(), kept.hash)
    if not is_good:
        raise BadTicket(REFUSED)
    return user


def _name(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()


def _sealed(ticket: str, text: bytes) -> bytes:
    """Return the text in a way that only who has the ticket can read, or the other way round.

    A pad that is used once: each ticket is new, random and longer than what could be tried.
    """
    pad = hashlib.shake_256(b"fanout.tickets" + ticket.encode()).digest(len(text))
    return bytes(a ^ b for a, b in zip(text, pad, strict=True))
