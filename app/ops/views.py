"""The fleet's page; what it shows comes over the socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fanout.counters import LATENCIES
from ops.fleet.speaker import FLEET

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_safe
@never_cache
@login_required
def fleet(request: HttpRequest) -> HttpResponse:
    """Replicas, rates, groups and events, for staff; others are told that it is not for them."""
    if not getattr(request.user, "is_staff", False):
        raise PermissionDenied("This page is for staff. An administrator can give your account that right.")
    return render(request, "ops/fleet.html", {"group": FLEET, "bounds": " ".join(map(str, LATENCIES))})
