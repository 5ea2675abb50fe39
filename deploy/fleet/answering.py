"""Which replica answers who comes through nginx from wherever, as the world does."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from fleet import tls

if TYPE_CHECKING:
    from fleet.state import Settings

SECONDS = 5.0
PATH = "/"
"""Any page would do: each answer of a replica names it, also one that refuses."""


def replica_at(address: str, settings: Settings, host: str) -> str | None:
    """Return the replica that answers a request to an address of nginx; None when none does."""
    link: http.client.HTTPConnection | None = None
    try:
        link = _link(address, settings)
        link.request("GET", PATH, headers={"Host": host})
        return link.getresponse().getheader("X-Replica")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        if link is not None:
            link.close()


def _link(address: str, settings: Settings) -> http.client.HTTPConnection:
    if not settings.tls:
        return http.client.HTTPConnection(address, settings.way_in, timeout=SECONDS)
    trust = tls.trusting(settings.tls_certificate)
    return http.client.HTTPSConnection(address, settings.way_in, timeout=SECONDS, context=trust)
