"""The front page; its picture of the fleet comes over the socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render
from django.views.decorators.http import require_safe

from demos.dashboard.board import FLEET

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this is, and where to go."""
    return render(request, "home/home.html", {"group": FLEET})
