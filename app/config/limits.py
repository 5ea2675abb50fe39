"""The limits for clients, from their variables: a number for each, and the networks that they are not for."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def number(text: str) -> int | None:
    """Return what is a whole number, None for what is none."""
    is_one = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    return int(text) if is_one else None


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


def lifted() -> dict[str, Any]:
    """Return no limits at all."""
    return dict.fromkeys(NUMBERS.values(), 0)


def own(exempt: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the networks that are this machine."""
    return tuple(network for network in exempt if ipaddress.ip_network(network).is_loopback)


def given(numbers: Mapping[str, int], exempt: tuple[str, ...], unlimited: tuple[str, ...]) -> dict[str, Any]:
    """Return `settings.FANOUT_LIMITS` from the variables that have a value."""
    networks = {"exempt": exempt} | ({"unlimited": unlimited} if unlimited else {})
    return {NUMBERS[name]: value for name, value in numbers.items()} | networks
