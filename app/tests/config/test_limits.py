"""The limits for clients, and who is exempt from them."""

import pytest

import fleet.limits
import fleet.nginx
from config import limits
from config.env import REPOSITORY, VARIABLES, read
from fanout.limits.admission import STORM_SECONDS
from fanout.limits.bounds import NAMES, Limits
from tests.config.environments import PRODUCTION, refused

LOOPBACK = ("127.0.0.0/8", "::1/128")
OWN = {"exempt": LOOPBACK, "unlimited": LOOPBACK}
GOOD = [
    ("FANOUT_LIMITS", "off", "limits", dict.fromkeys(limits.NUMBERS.values(), 0)),
    ("FANOUT_LIMITS_EXEMPT", "192.0.2.0/24, loopback,2001:db8::1", "limits",
     {"exempt": ("192.0.2.0/24", *LOOPBACK, "2001:db8::1/128"), "unlimited": LOOPBACK}),
    ("FANOUT_LIMITS_EXEMPT", "private", "limits", {"exempt": limits.WORDS["private"], "unlimited": LOOPBACK}),
    ("FANOUT_LIMITS_EXEMPT", "127.0.0.9", "limits", {"exempt": ("127.0.0.9/32",), "unlimited": ("127.0.0.9/32",)}),
    ("FANOUT_LIMITS_EXEMPT", "none", "limits", {"exempt": ()}),
    *((name, "7", "limits", {field: 7, **OWN}) for name, field in limits.NUMBERS.items()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "field", "meaning"), GOOD)
def test_a_good_value_is_understood(name, value, field, meaning):
    """And white space around it does not matter."""
    assert getattr(read({name: f" {value}\n"}), field) == meaning


BAD = [
    ("FANOUT_LIMITS", "none"),
    ("FANOUT_LIMITS_EXEMPT", "192.0.2.1/24"),
    ("FANOUT_LIMITS_EXEMPT", "everybody"),
    *((name, value) for name in limits.NUMBERS for value in ("-1", "1e3", "9" * 13)),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_malformed_value_is_named(name, value):
    """One sentence, which begins with the variable."""
    assert refused(**{name: value}).startswith(f"{name}={value!r} is malformed: ")


@pytest.mark.parametrize("value", ["0.0.0.0/0", "0.0.0.0/1,128.0.0.0/2,192.0.0.0/2", "::/0", "2000::/4, 3000::/4"])
def test_production_does_not_exempt_everybody(value):
    """In one piece or in several; elsewhere the doctor says it."""
    sentence = "FANOUT_LIMITS_EXEMPT exempts everybody: name the networks of your load generators."
    assert refused(**{**PRODUCTION, "FANOUT_LIMITS_EXEMPT": value}) == sentence
    assert read({**PRODUCTION, "FANOUT_LIMITS_EXEMPT": "private, 128.0.0.0/1, 2001:db8::/32"}).limits["exempt"]


def test_production_exempts_nobody_unless_told():
    """Not even this machine: there may be a proxy on it."""
    assert read(PRODUCTION).limits == {"exempt": ()}


def test_each_limit_is_the_packages_and_nginx_has_the_same():
    """Names, defaults and words."""
    assert set(limits.NUMBERS.values()) == set(NAMES) - {"floods"}
    assert set(limits.NUMBERS) <= set(VARIABLES)
    assert limits.WORDS == fleet.limits.NETWORKS
    ours, nginx = Limits(), fleet.limits.ClientLimits()
    assert (nginx.connections, nginx.handshakes) == (ours.connections_per_address, ours.handshakes_per_second)
    assert fleet.nginx.STORM_SECONDS == STORM_SECONDS
    example = (REPOSITORY / ".env.example").read_text()
    for name, field in limits.NUMBERS.items():
        assert f"# {name}={getattr(ours, field)}\n" in example
