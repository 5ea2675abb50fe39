"""What nginx limits by itself, from the application's variables, natively and in containers."""

import pytest

from fleet import limits, nginx
from fleet.compose import override, status
from fleet.compose.engine import Engine
from fleet.compose.project import Project
from fleet.doctor import machine
from fleet.limits import LOOPBACK, NETWORKS, NONE, PRIVATE, ClientLimits
from fleet.state import Run, Settings


def test_the_variables_are_nginxs_too():
    """Numbers, networks and words; what nobody gives is the default."""
    assert limits.of({}, LOOPBACK) == ClientLimits(exempt=NETWORKS[LOOPBACK])
    given = {
        "FANOUT_CONNECTIONS_PER_ADDRESS": "7",
        "FANOUT_HANDSHAKES_PER_SECOND": "0",
        "FANOUT_LIMITS_EXEMPT": "192.0.2.0/24, loopback,2001:db8::1",
    }
    networks = ("192.0.2.0/24", *NETWORKS[LOOPBACK], "2001:db8::1/128")
    assert limits.of(given, NONE) == ClientLimits(7, 0, networks)
    assert limits.of({"FANOUT_LIMITS_EXEMPT": "none"}, PRIVATE) == ClientLimits(exempt=())
    assert limits.of({"FANOUT_LIMITS": "off"}, PRIVATE) is None


@pytest.mark.parametrize(("variables", "exempt"), [({}, LOOPBACK), ({"FANOUT_ENV": "production"}, NONE)])
def test_natively_this_machine_is_exempt_unless_in_production(variables, exempt):
    """As the application has it."""
    assert limits.default_exempt(variables) == exempt


@pytest.mark.parametrize(
    ("settings", "given", "exempt", "own"),
    [
        (Settings(), {}, NETWORKS[PRIVATE], False),
        (Settings(bind=("127.0.0.1", "::1")), {}, NETWORKS[PRIVATE], False),
        (Settings(bind=("0.0.0.0",)), {}, (), True),
        (Settings(bind=("0.0.0.0",)), {"FANOUT_LIMITS_EXEMPT": "private"}, NETWORKS[PRIVATE], False),
        (Settings(), {"FANOUT_LIMITS_EXEMPT": "192.0.2.7"}, ("192.0.2.7/32",), True),
    ],
)
def test_in_containers_private_networks_are_exempt_while_only_this_machine_comes(run, settings, given, exempt, own):
    """Replicas are told the same as nginx; a configuration of its own is made only where the image's is another."""
    made = Project(run, engine=Engine(environ={}))
    made.remember(settings, given)
    assert made.limits() == ClientLimits(exempt=exempt)
    assert override.is_own(settings, made.limits()) is own
    more = override.render(made.root, settings, made.limits()).get("services", {}).get("nginx", {})
    assert ("volumes" in more) is own
    text = override.configuration(settings, made.limits())
    assert all(f"{network} 0;" in text for network in exempt)
    if own and not given:
        assert made.kept()["FANOUT_LIMITS_EXEMPT"] == "none"


def test_lifted_limits_are_said(run):
    """By `make status` and the doctor, and nginx has none of them."""
    made = Project(run, engine=Engine(environ={}))
    made.remember(Settings(), {"FANOUT_LIMITS": "off", "FANOUT_ENV": "development"})
    assert status.lifted(made) == [limits.SAID_OFF]
    assert len(list(machine.of_limits(made.kept()))) == 1
    assert "limit_conn" not in override.configuration(Settings(), made.limits())
    made.remember(Settings(), {})
    assert status.lifted(made) == []
    assert list(machine.of_limits(made.kept())) == []


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([], 0),
        ([{"connections": 19, "addresses": 1}], 0),
        ([{"connections": 12, "addresses": 1}, {"connections": 12, "addresses": 1}, {}], 1),
        ([{"connections": 12, "addresses": 1}, {"connections": 12, "addresses": 2}], 0),
        ([{"connections": 40, "addresses": 0}], 1),
    ],
)
def test_a_crowd_with_one_address_is_found(answers, found):
    """A proxy that nobody has named; a handful may be one person's."""
    findings = list(machine.of_addresses(answers))
    assert len(findings) == found
    assert all("TRUSTED_PROXIES=" in finding.do for finding in findings)


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "run")


def test_the_storm_that_nginx_takes_is_ten_seconds_worth():
    """None of it delayed."""
    text = nginx._limit_values(ClientLimits(handshakes=7))
    assert text["handshake_limit"] == "limit_req zone=handshakes burst=70 nodelay;"
