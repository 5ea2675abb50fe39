"""The boards' pages; the numbers come over the socket."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from demos.dashboard.board import FLEET
from demos.pages import problem
from demos.rooms import NAME_PATTERN, RULE, RULE_IN_WORDS, is_room_name

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_safe
def fleet(request: HttpRequest) -> HttpResponse:
    """The board of the fleet's own numbers."""
    return render(request, "dashboard/board.html", {"group": FLEET, **_form()})


@require_safe
def board(request: HttpRequest, name: str) -> HttpResponse:
    """A board of whatever is published to it."""
    group = f"dashboard.{name}"
    if group == FLEET:
        return redirect("dashboard:fleet")
    return render(request, "dashboard/board.html", {"group": group, "board": name, **_form()})


@require_safe
def enter(request: HttpRequest) -> HttpResponse:
    """Lead from the form's `?board=` to the board's own address; without a name to the fleet's."""
    name = request.GET.get("board", "").strip()
    if not name:
        return redirect("dashboard:fleet")
    if is_room_name(name):
        return redirect("dashboard:board", name)
    return problem(
        request,
        status=HTTPStatus.NOT_FOUND,
        title="No board can have this name",
        detail=f"A board's name is {RULE}.",
    )


def _form() -> dict[str, str]:
    return {"name_pattern": NAME_PATTERN, "name_rule": RULE_IN_WORDS}
