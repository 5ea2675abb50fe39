"""What nginx itself refuses, from the variables of the application: connections and handshakes of one address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.environment import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

SWITCH, EXEMPT = f"{PREFIX}LIMITS", f"{PREFIX}LIMITS_EXEMPT"
CONNECTIONS, HANDSHAKES = f"{PREFIX}CONNECTIONS_PER_ADDRESS", f"{PREFIX}HANDSHAKES_PER_SECOND"
LOOPBACK, PRIVATE, NONE = "loopback", "private", "none"
NETWORKS = {
    LOOPBACK: ("127.0.0.0/8", "::1/128"),
    PRIVATE: ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"),
    NONE: (),
}
"""As app/config/limits.py has them; a test holds the two together."""
SAID_OFF = (
    f"{SWITCH}=off: one client may take everything. Unset it when the load is over, or name its machine in {EXEMPT}."
)


@dataclass(frozen=True)
class ClientLimits:
    """The numbers of one address; 0 lifts one of them. The defaults are those of app/fanout/limits/bounds.py."""

    connections: int = 500
    handshakes: int = 50
    """A second."""
    exempt: tuple[str, ...] = NETWORKS[PRIVATE]
    """Networks that are not counted."""


def of(variables: Mapping[str, str], exempt: str) -> ClientLimits | None:
    """Return what the variables say, `exempt` where they do not say for whom; None when they lift all limits."""
    if is_off(variables):
        return None
    words = [word.strip() for word in (variables.get(EXEMPT) or exempt).split(",") if word.strip()]
    networks = [network for word in words for network in NETWORKS.get(word) or _network(word)]
    return ClientLimits(
        connections=_number(variables.get(CONNECTIONS), ClientLimits.connections),
        handshakes=_number(variables.get(HANDSHAKES), ClientLimits.handshakes),
        exempt=tuple(dict.fromkeys(networks)),
    )


def is_off(variables: Mapping[str, str]) -> bool:
    """Return whether all limits are lifted."""
    return variables.get(SWITCH, "").strip() == "off"


def default_exempt(variables: Mapping[str, str]) -> str:
    """Return who is not counted natively when nobody says: this machine, unless the fleet is in production."""
    return NONE if variables.get(f"{PREFIX}ENV", "").strip() == "production" else LOOPBACK


def _network(word: str) -> list[str]:
    """Return a network that was named; what is none, the application refuses by name."""
    try:
        return [] if word in NETWORKS else [str(ipaddress.ip_network(word))]
    except ValueError:
        return []


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.strip().isdecimal() else default
