"""The limits for clients, from their variables: a number for each, and the networks that they are not for."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from config.values import ConfigurationError, malformed

if TYPE_CHECKING:
    from config.values import Values

NUMBERS = {
    "FANOUT_CONNECTIONS_PER_ADDRESS": "connections_per_address",
    "FANOUT_CONNECTIONS_PER_USER": "connections_per_user",
    "FANOUT_HANDSHAKES_PER_SECOND": "handshakes_per_second",
    "FANOUT_READS_PER_SECOND": "reads_per_second",
    "FANOUT_PUBLISHES_PER_CONNECTION": "publishes_per_connection",
    "FANOUT_PUBLISHES_PER_USER": "publishes_per_user",
    "FANOUT_PUBLISHES_PER_ADDRESS": "publishes_per_address",
    "FANOUT_BYTES_PER_CONNECTION": "bytes_per_connection",
    "FANOUT_BYTES_PER_USER": "bytes_per_user",
    "FANOUT_BYTES_PER_ADDRESS": "bytes_per_address",
    "FANOUT_GROUPS_PER_CONNECTION": "groups_per_connection",
    "FANOUT_FRAME_BYTES": "frame_bytes",
    "FANOUT_JSON_DEPTH": "json_depth",
    "FANOUT_OUTBOX_BYTES": "outbox_bytes",
    "FANOUT_IDLE_SECONDS": "idle_seconds",
    "FANOUT_UNAUTHENTICATED_SECONDS": "unauthenticated_seconds",
    "FANOUT_NEW_GROUPS_PER_MINUTE": "new_groups_per_minute",
}
"""Variable → name in `fanout.limits.bounds`, which has the default."""
MOST_DIGITS = 12
ALL_OF_4, ALL_OF_6 = ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("2000::/3")
WORDS = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"),
    "none": (),
}
"""What stands for networks that need no name."""


def read(values: Values) -> dict[str, Any]:
    """Return `settings.FANOUT_LIMITS`. Raise ConfigurationError."""
    exempt = _exempt(values)
    numbers = {field: _number(values, name) for name, field in NUMBERS.items() if values.get(name)}
    if values.choice("FANOUT_LIMITS", ("on", "off")) == "off":
        if values.production:
            raise ConfigurationError("FANOUT_LIMITS=off lets one client take everything: unset it in production.")
        return dict.fromkeys(NUMBERS.values(), 0)
    unlimited = () if values.production else own(exempt)
    return {**numbers, "exempt": exempt, **({"unlimited": unlimited} if unlimited else {})}


def _exempt(values: Values) -> tuple[str, ...]:
    name = "FANOUT_LIMITS_EXEMPT"
    exempt = networks(values.items(name) or ["none" if values.production else "loopback"])
    if exempt is None:
        wanted = f"addresses, networks such as 192.0.2.0/24, or one of {', '.join(WORDS)}"
        raise malformed(name, values.get(name) or "", wanted)
    if values.production and everybody(exempt):
        raise ConfigurationError(f"{name} exempts everybody: name the networks of your load generators.")
    return exempt


def _number(values: Values, name: str) -> int:
    text = values.get(name) or ""
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        raise malformed(name, text, "a whole number; 0 lifts the limit")
    return int(text)


def networks(words: list[str]) -> tuple[str, ...] | None:
    """Return networks for a list of addresses, networks and words; None when one of them is neither."""
    found: list[str] = []
    for word in words:
        try:
            found += WORDS.get(word) or ([] if word in WORDS else [str(ipaddress.ip_network(word))])
        except ValueError:
            return None
    return tuple(dict.fromkeys(found))


def everybody(exempt: tuple[str, ...]) -> bool:
    """Whether networks have all addresses of a kind in them, in whatever pieces; of IPv6 those that are given out."""
    found = [ipaddress.ip_network(each) for each in exempt]
    four = ipaddress.collapse_addresses(each for each in found if isinstance(each, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(each for each in found if isinstance(each, ipaddress.IPv6Network))
    return ALL_OF_4 in list(four) or any(ALL_OF_6.subnet_of(each) for each in six)


def own(exempt: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the networks that are this machine."""
    return tuple(network for network in exempt if ipaddress.ip_network(network).is_loopback)
