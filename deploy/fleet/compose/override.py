"""What compose.yaml cannot say by a value: more addresses, TLS, and an nginx that is configured otherwise.

JSON is YAML, and both versions of Compose merge it: lists of ports and volumes grow, a command is replaced.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from fleet import nginx
from fleet.compose import edge
from fleet.configuration import nginx_tls
from fleet.state import DEFAULT_SLOTS

if TYPE_CHECKING:
    from pathlib import Path

    from fleet.limits import ClientLimits
    from fleet.state import Settings

LOOPBACK = "127.0.0.1"
FOLDER = "/etc/nginx/fleet"
"""Where the container sees `folder`."""


def addresses(settings: Settings) -> tuple[str, ...]:
    """Return the host's addresses whose port is published."""
    return settings.bind or (LOOPBACK,)


def bracketed(address: str) -> str:
    """Return an address as it stands before a colon."""
    return f"[{address}]" if ":" in address else address


def is_own(settings: Settings, limits: ClientLimits | None = edge.DEFAULT_LIMITS) -> bool:
    """Return whether nginx needs another configuration than its image brings."""
    is_other = limits != edge.DEFAULT_LIMITS
    return bool(settings.slots != DEFAULT_SLOTS or settings.trusted_proxies or settings.tls_port or is_other)


def folder(root: Path) -> Path:
    """Return the folder with the configuration, the certificate and its key."""
    return root / "nginx"


def configuration(settings: Settings, limits: ClientLimits | None = edge.DEFAULT_LIMITS) -> str:
    """Return nginx' configuration for these settings."""
    tls = nginx_tls(settings, edge.TLS_PORT, f"{FOLDER}/certificate.pem", f"{FOLDER}/key.pem")
    return nginx.render(edge.values(settings.slots, settings.trusted_proxies, tls, limits))


def is_public(settings: Settings) -> bool:
    """Return whether anybody else than this machine reaches the fleet."""
    return not all(ipaddress.ip_address(address).is_loopback for address in addresses(settings))


def render(root: Path, settings: Settings, limits: ClientLimits | None = edge.DEFAULT_LIMITS) -> dict[str, Any]:
    """Return a second Compose file; an empty one when the first says it all."""
    more = [f"{bracketed(address)}:{settings.port}:{edge.PORT}" for address in addresses(settings)[1:]]
    if settings.tls_port:
        more += [f"{bracketed(address)}:{settings.tls_port}:{edge.TLS_PORT}" for address in addresses(settings)]
    service: dict[str, Any] = {"ports": more} if more else {}
    if is_own(settings, limits):
        service["volumes"] = [f"{folder(root)}:{FOLDER}:ro"]
        service["command"] = ["-e", "stderr", "-p", str(edge.PREFIX), "-c", f"{FOLDER}/nginx.conf"]
    return {"services": {"nginx": service}} if service else {}
