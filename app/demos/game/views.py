"""The arena's page, and the tickets to play in it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.http import JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from demos.game import arena as rules
from demos.game.player import new_ticket

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MAIN = "main"
"""The arena of `/game/`."""


@require_safe
@never_cache
def arena(request: HttpRequest, name: str = MAIN) -> HttpResponse:
    """The page of one arena. It holds the server's time, by which rounds begin: nobody may keep it."""
    names = ("WIDTH", "HEIGHT", "SPEED", "RATE", "TOUCH", "SETTLE", "SILENCE", "REPEAT", "NAME_LIMIT")
    numbers = {each: getattr(rules, each) for each in names}
    return render(request, "game/arena.html", {"arena": name, "now": round(time.time() * 1000), "rules": numbers})


@require_safe
@never_cache
def ticket(_request: HttpRequest) -> HttpResponse:
    """Make a new player."""
    player, signed = new_ticket()
    return JsonResponse({"player": player, "ticket": signed})
