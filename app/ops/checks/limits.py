"""Whether a client may take everything."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import TYPE_CHECKING

from fanout.limits.bounds import Limits
from ops.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

GIVEN_OUT = ip_network("2000::/3")
"""What of IPv6 is given out to anybody; the rest is a machine's or a site's own."""
WIDEST_4, WIDEST_6 = 8, 16
"""Bits of a network's prefix: a shorter one is nobody's own."""


def findings(limits: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with FANOUT_LIMITS."""
    if Limits(**limits).lifted:
        yield Finding(
            "fanout.W015",
            "All limits for clients are lifted (FANOUT_LIMITS=off).",
            "One address may open every connection that there is, and one socket publish without end: each frame goes "
            "to all who listen.",
            "unset FANOUT_LIMITS; for a load from one machine FANOUT_LIMITS_EXEMPT=192.0.2.7 in .env",
        )
    for network in strangers(limits.get("exempt", ())):
        whom = f"{100 / 2**network.prefixlen:.2g} % of all addresses" if network.prefixlen else "everybody"
        yield Finding(
            "fanout.W016",
            f"FANOUT_LIMITS_EXEMPT exempts {network}, which is {whom}.",
            "No limit by address is kept for them.",
            "FANOUT_LIMITS_EXEMPT= with the networks of your own load generators",
        )


def strangers(exempt: Iterable[str]) -> Iterator[IPv4Network | IPv6Network]:
    """Yield what networks come to, in whatever pieces they are given, where that is more than anybody's own."""
    found = [ip_network(each) for each in exempt]
    for four in collapse_addresses(each for each in found if isinstance(each, IPv4Network)):
        if four.prefixlen < WIDEST_4:
            yield four
    for six in collapse_addresses(each for each in found if isinstance(each, IPv6Network)):
        if six.prefixlen < WIDEST_6 and six.overlaps(GIVEN_OUT):
            yield six
