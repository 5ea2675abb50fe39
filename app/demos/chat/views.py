"""The chat's pages; what happens in a room goes over the socket."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from demos.chat.policy import LOBBY, MESSAGE_LIMIT, NAME_LIMIT
from demos.pages import problem
from demos.rooms import NAME_PATTERN, RULE, RULE_IN_WORDS, is_room_name

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_safe
def room(request: HttpRequest, name: str) -> HttpResponse:
    """The page of one room."""
    context = {
        "room": name,
        "group": f"chat.{name}",
        "socket": f"/ws/chat/{name}/",
        "message_max_bytes": MESSAGE_LIMIT,
        "name_max_characters": NAME_LIMIT,
        "room_pattern": NAME_PATTERN,
        "room_rule": RULE_IN_WORDS,
    }
    return render(request, "chat/room.html", context)


@require_safe
def enter(request: HttpRequest) -> HttpResponse:
    """Lead from the form's `?room=` to the room's own address; without a name to the lobby."""
    name = request.GET.get("room", "").strip()
    if not name:
        return redirect("chat:room", LOBBY)
    return redirect("chat:room", name) if is_room_name(name) else no_such_room(request, name)


@require_safe
def no_such_room(request: HttpRequest, name: str) -> HttpResponse:
    """Tell the rule for room names, or add the slash that a right name lacks."""
    if is_room_name(name):
        return redirect("chat:room", name)
    return problem(
        request,
        status=HTTPStatus.NOT_FOUND,
        title="No room can have this name",
        detail=f"A room name is {RULE}.",
    )


@require_safe
def favicon(_request: HttpRequest) -> HttpResponse:
    """Lead browsers that ask for it unasked to the icon."""
    return redirect(static("fanout/favicon.svg"))
