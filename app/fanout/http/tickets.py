"""`POST /tickets`: a ticket for who is logged in, to be shown in a handshake that can't bring the session's cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from django.apps import apps

from fanout.errors import Forbidden
from fanout.http.problems import Problem
from fanout.hub import get_hub

if TYPE_CHECKING:
    from fanout.http.answer import Answer
    from fanout.http.request import Request

MEDIA_TYPE = "application/json"


async def make_ticket(request: Request, answer: Answer) -> None:
    """Answer 201 with a ticket that stands for the session of the request's cookie."""
    if not apps.is_installed("django.contrib.auth"):
        raise Problem("not_found", "This site has no accounts, and so no tickets.")
    from fanout.accounts import tickets, users  # they need Django's accounts, which a project need not have

    request.accepts(MEDIA_TYPE)
    request.brings_json()
    get_hub().admission.publish(request.scope)
    user = await users.user_of(request.scope)
    if not user.is_authenticated:
        raise Forbidden("Log in first: a ticket stands for your session.")
    key, origin = request.scope.get(users.SESSION), tickets.origin_of(request.scope)
    ticket = await tickets.issue(user, session_key=key, origin=origin)
    await answer.whole(201, MEDIA_TYPE, msgspec.json.encode({"ticket": ticket, "expires_in": tickets.LIFETIME}))
