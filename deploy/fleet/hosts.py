"""Tells when other machines reach nginx and the application knows no name under which they may."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet.progress import Progress
    from fleet.state import Settings


def tell_hosts(settings: Settings, variables: Mapping[str, str], progress: Progress) -> None:
    """A fleet that others can reach refuses them as long as it knows no name for itself."""
    is_public = not all(ipaddress.ip_address(address).is_loopback for address in settings.bind or ())
    if is_public and "FANOUT_ALLOWED_HOSTS" not in variables:
        progress.say("  Other machines reach nginx, but get 400 until FANOUT_ALLOWED_HOSTS names this host.")
