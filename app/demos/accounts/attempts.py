"""How often one may try to log in or sign up: counted in the database, over all replicas, by account and by address.

An account that nobody has counts like one that somebody has, so a refusal tells nothing. Who is logged in stays so. An
address that is exempt from the limits (FANOUT_LIMITS_EXEMPT) is not counted: a crowd may share it, of whom one would
close the log-in for all.
"""

from __future__ import annotations

import hashlib
import math
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from demos.accounts.models import Attempt
from fanout.limits.bounds import counted_address

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest

WINDOW = timedelta(minutes=15)
"""For which a failed attempt counts."""
OF_ACCOUNT = 10
"""Attempts within it on one account: a person mistypes three times, a guesser needs millions."""
OF_ADDRESS = 50
"""Attempts within it from one address: an office shares one."""


def minutes_to_wait(request: HttpRequest, name: str) -> int:
    """Note an attempt to log in; return for how many minutes it is refused and not counted, 0 when it may go on."""
    limits = {account_key(name): OF_ACCOUNT}
    if (address := address_key(request)) is not None:
        limits[address] = OF_ADDRESS
    return _note(limits)


def minutes_to_sign_up(request: HttpRequest) -> int:
    """Do the same for a sign-up, which is no attempt on an account: of an address alone, and none of its log-ins."""
    address = address_key(request, "sign-up")
    return 0 if address is None else _note({address: OF_ADDRESS})


def _note(limits: dict[str, int]) -> int:
    now = timezone.now()
    Attempt.objects.filter(at__lte=now - WINDOW).delete()
    made = Attempt.objects.bulk_create(Attempt(key=key, at=now) for key in limits)
    # Noted before it is counted: those who try at the same moment on many replicas see each other.
    waits = [_minutes(key, limit, made) for key, limit in limits.items()]
    if any(waits):
        Attempt.objects.filter(pk__in=[each.pk for each in made]).delete()
    return max(waits)


def succeeded(request: HttpRequest, name: str) -> None:
    """Forget the attempts on an account whose password was right, and this one from the address."""
    Attempt.objects.filter(key=account_key(name)).delete()
    _take_back(address_key(request))


def not_made(request: HttpRequest, name: str) -> None:
    """Take an attempt back: nobody has looked at the password."""
    _take_back(account_key(name))
    _take_back(address_key(request))


def _take_back(key: str | None) -> None:
    newest = Attempt.objects.filter(key=key).order_by("-at").values_list("pk", flat=True)[:1]
    Attempt.objects.filter(pk__in=list(newest)).delete()


def _minutes(key: str, limit: int, made: list[Attempt]) -> int:
    """Return after how many minutes one attempt fewer than the limit is left."""
    others = Attempt.objects.filter(key=key).exclude(pk__in=[each.pk for each in made])
    times: list[datetime] = list(others.order_by("-at").values_list("at", flat=True)[:limit])
    if len(times) < limit:
        return 0
    left: timedelta = times[-1] + WINDOW - timezone.now()
    return max(1, math.ceil(left / timedelta(minutes=1)))


def account_key(name: str) -> str:
    """Return the key of an account's name, whatever its letters' case."""
    return _digest("account", name.casefold())


def address_key(request: HttpRequest, kind: str = "address") -> str | None:
    """Return the key of where a request of some kind comes from; None where that is not counted.

    nginx names the address, no client does (X-Real-IP).
    """
    counted = counted_address(request.META.get("REMOTE_ADDR") or "")
    return None if counted is None else _digest(kind, counted)


def _digest(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()
