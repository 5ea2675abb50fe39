"""How much one client may take: the numbers, and whom they are for. `settings.FANOUT_LIMITS` has them by name.

0 lifts a limit. Addresses in `exempt` networks, and clients of which the server knows no address (a unix socket, and no
proxy that names one), are not counted by address; what a socket and an account may do holds for them, too, unless they
are `unlimited`. What a frame may be holds for everybody.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.signals import setting_changed

from fanout.counters import counters
from fanout.errors import BadData, BadFrame

if TYPE_CHECKING:
    from fanout.asgi import Scope
    from fanout.policy import Policy

KIB = 1024
ADDRESSES = 8192
"""Addresses whose network is remembered."""
HOUSE_BITS = 64
"""Of an IPv6 address: whoever has one has the network of that size."""

LARGE_SECONDS = 16
"""Of bytes at once: the largest frame of any kind, and what was written while a page was offline."""
LIGHT = 256
"""Characters of a frame that is not looked at before it is decoded: it can't be heavy."""
PORTION, BRACKETS = 8 * KIB, 128
"""Characters and brackets of a frame that cost as much as a publication; decoding them takes some 0.1 ms at worst."""
CONTAINERS = 10_000
"""Lists and objects of one frame, unless `json_depth` is lifted: decoding and looking through them takes some 10 ms."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers, as they are by default."""

    connections_per_address: int = 500
    """Sockets, streams and waiting polls over the whole fleet: an office, a school or a carrier share an address."""
    connections_per_user: int = 50
    """The same of one account: its tabs and devices."""
    handshakes_per_second: int = 50
    """Of one address, to one replica; ten seconds' worth of them at once: all come back when a replica restarts."""
    reads_per_second: int = 50
    """The same of requests for what was published before: a history, a snapshot. A page asks for one or two."""
    publishes_per_connection: int = 50
    """A second; two seconds' worth at once."""
    publishes_per_user: int = 100
    """The same of one account's connections to one replica, and of one address' guests over plain HTTP."""
    publishes_per_address: int = 500
    """The same of all connections and requests of one address to one replica, with an account or without."""
    bytes_per_connection: int = 64 * KIB
    """Of all frames, a second; LARGE_SECONDS' worth at once: what is sent goes to everybody, and is kept."""
    bytes_per_user: int = 128 * KIB
    """As of publications."""
    bytes_per_address: int = 256 * KIB
    """As of publications: half a KiB in each of them. A Redis of 256 MB takes a quarter of an hour of it."""
    groups_per_connection: int = 128
    """A page shows a handful, and each may cost the process a subscription in Redis."""
    frame_bytes: int = 1024 * KIB
    """Whatever a kind takes; the server's own limit is 1 MiB."""
    json_depth: int = 64
    """Of a publication's data: a rich text has some twenty."""
    outbox_bytes: int = 2048 * KIB
    """Whatever a kind allows; what waits for one client before it is cut off."""
    idle_seconds: int = 120
    """In no group and silent: such a socket waits for nothing."""
    unauthenticated_seconds: int = 0
    """After which a socket needs an account; 0: guests are welcome."""
    new_groups_per_minute: int = 60
    """Groups that one address begins to use through one replica: rooms, documents, boards that nobody is in."""
    exempt: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks that are not counted by address: what lies behind one of theirs may be a crowd."""
    unlimited: tuple[str, ...] = ()
    """Networks whose sockets and accounts have no limits of their own either; with one, who has no address has none."""

    @property
    def lifted(self) -> bool:
        """Whether there are none at all."""
        return not any(getattr(self, field.name) for field in fields(self) if field.name not in NETWORKS)


NETWORKS = ("exempt", "unlimited")
NAMES = (*(field.name for field in fields(Limits) if field.name not in NETWORKS), "floods")
"""What a limit may be called where its refusals are counted; a flood is of refused frames."""
_limits: Limits | None = None


def limits() -> Limits:
    """Return the limits of the settings."""
    global _limits  # noqa: PLW0603 - one a process
    if _limits is None:
        _limits = Limits(**getattr(settings, "FANOUT_LIMITS", {}))
    return _limits


def _forget(setting: str, **_: Any) -> None:
    global _limits  # noqa: PLW0603 - as above
    if setting == "FANOUT_LIMITS":
        _limits = None
        counted_address.cache_clear()
        is_unlimited.cache_clear()


setting_changed.connect(_forget)


def address_of(scope: Scope) -> str | None:
    """Return the client's address as the server knows it; None where it knows none."""
    client = scope.get("client")
    return client[0] if client and client[0] else None


@lru_cache(ADDRESSES)
def counted_address(address: str) -> str | None:
    """Return what a client is counted by: its address, of IPv6 the network; None if it is exempt."""
    found = _parsed(address)
    if found is None:
        return address[:64]  # a proxy's own word
    if _is_in(found, limits().exempt):
        return None
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, HOUSE_BITS), strict=False))
    return str(found)


@lru_cache(ADDRESSES)
def is_unlimited(address: str | None) -> bool:
    """Whether nothing that a client does is limited: all limits are lifted, or it is of this machine in development."""
    if limits().lifted:
        return True
    found = None if address is None else _parsed(address)
    return bool(limits().unlimited) and (address is None or (found is not None and _is_in(found, limits().unlimited)))


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _is_in(address: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: tuple[str, ...]) -> bool:
    return any(address in ipaddress.ip_network(network) for network in networks)


def size_of(text: str | bytes) -> int:
    """Return the bytes of a frame."""
    return len(text) if isinstance(text, bytes) or text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def frame_limit(policy: Policy) -> int:
    """Return the characters that a frame for a group of the policy may have."""
    return _least(policy.frame_limit, limits().frame_bytes)


def outbox_limit(policy: Policy) -> int:
    """Return the bytes that may wait for a client in a group of the policy."""
    return _least(policy.outbox_limit, limits().outbox_bytes)


def _least(own: int, common: int) -> int:
    return min(own, common) if common else own


def weight_of(text: str | bytes) -> int:
    """Return what a frame costs beyond the price of a small one. Raise BadFrame for too many lists and objects.

    To be asked before it is decoded, so brackets within its strings count like the others.
    """
    if len(text) <= LIGHT:
        return 0
    brackets = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if brackets > CONTAINERS and limits().json_depth:
        counters.limited["json_depth"] += 1
        most = f"a frame may have {CONTAINERS}: send less at once."
        raise BadFrame(f"The JSON has {brackets} opening brackets ([ or {{), {most}")
    return max(len(text) // PORTION, brackets // BRACKETS)


def check_depth(data: Any) -> None:
    """Raise BadData when lists and objects lie in each other deeper than they may."""
    most = limits().json_depth
    if most and isinstance(data, dict | list) and deeper_than(data, most):
        counters.limited["json_depth"] += 1
        raise BadData(f"The data is nested deeper than {most} levels: send something flatter.")


def deeper_than(data: Any, limit: int) -> bool:
    """Whether lists and objects lie in each other deeper than so many levels."""
    level = [data]
    for _ in range(limit + 1):
        level = [each for each in level if isinstance(each, dict | list)]
        if not level:
            return False
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return True
