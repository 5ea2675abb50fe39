"""The traps of settings and Redis: each is found in a configuration that is in it, none in ours."""

import re
import subprocess
import sys
import tomllib
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core import checks as django_checks

from config import asgi, limits
from ops.checks import TAG, check_settings, findings, layer, parts, redis, site
from ops.checks.layer import CORE, IN_MEMORY, OURS, PUBSUB
from ops.checks.limits import findings as limit_findings
from tests.replicas import APP


def of_layer(backend=OURS, **config):
    """The ids of what is found in a channel layer."""
    return [finding.id for finding in layer.findings({"default": {"BACKEND": backend, "CONFIG": config}})]


def test_every_finding_says_what_why_and_what_to_type(settings):
    """In words that end as sentences do; Django has it as error or warning."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": CORE, "CONFIG": {"hosts": ["redis://x/3"]}}}
    settings.ALLOWED_HOSTS = ["*"]
    found = list(findings())
    assert {"fanout.E001", "fanout.W005", "fanout.E010"} <= {finding.id for finding in found}
    for finding in found:
        assert re.fullmatch(r"fanout\.[EW]\d{3}", finding.id)
        assert finding.what.endswith(".")
        assert finding.why.endswith(".")
        assert finding.do
        message = finding.message()
        assert message.is_serious(django_checks.ERROR) is finding.is_error
        assert message.hint == finding.do
    assert [message.id for message in check_settings()] == [finding.id for finding in found]


def test_django_runs_them_before_a_deployment():
    """`manage.py check --deploy`, under a tag of their own, and not at each start."""
    registry = django_checks.registry.registry
    assert check_settings in registry.deployment_checks
    assert check_settings.tags == (TAG,)


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        (CORE, ["fanout.E001"]),
        (PUBSUB, ["fanout.W002"]),
        *((backend, ["fanout.W003"]) for backend in IN_MEMORY),
        ("mine.Layer", ["fanout.E004"]),
        ("", ["fanout.E004"]),
        (OURS, []),
    ],
)
def test_a_layer_that_loses_or_is_slow_is_found(backend, found):
    """Stock, in memory, or none of fanout's."""
    assert of_layer(backend, hosts=["redis://localhost:6379"]) == found


@pytest.mark.parametrize(
    ("hosts", "found"),
    [
        (["redis://a:6379/0", "redis://b:6379"], []),
        (["unix:///run/redis.sock"], []),
        ([("127.0.0.1", 6379)], []),
        (["redis://:secret@a:6379/2"], ["fanout.W005"]),
        ([{"host": "a", "port": 6379, "db": 1}], ["fanout.W005"]),
        ([{"sentinels": [("a", 26379)], "master_name": "chat", "db": 1}], ["fanout.W005"]),
        (["redis://a:6379", "redis://a"], ["fanout.W006"]),
        ([{"host": "a", "socket_timeout": 0.5}], ["fanout.W007"]),
        ([{"host": "a", "socket_timeout": 5}], []),
    ],
)
def test_hosts_that_mean_something_else_are_found(hosts, found):
    """Databases that pub/sub does not have, a server that is named twice, an answer that may not take its time."""
    assert of_layer(hosts=hosts) == found


@pytest.mark.parametrize("host", ["redis://:secret@a:6379/2", {"address": "redis://:secret@a:6379/2"}])
def test_no_password_is_told(host):
    """A host is named by its address, in whichever form it is given."""
    (finding,) = layer.findings({"default": {"BACKEND": OURS, "CONFIG": {"hosts": [host]}}})
    assert "secret" not in f"{finding.what}{finding.why}{finding.do}"
    assert "a:6379" in finding.what


def of_site(**changes):
    """The ids of what is found in a site."""
    given = {"ALLOWED_HOSTS": ["a"], "CSRF_TRUSTED_ORIGINS": [], "DATABASES": {"default": {}}, "ASGI_APPLICATION": None}
    return [finding.id for finding in site.findings(SimpleNamespace(**{**given, **changes}))]


def test_a_site_that_lets_others_in_is_found():
    """Every host, an origin that anybody may forge, connections that pile up."""
    assert of_site() == []
    assert of_site(ALLOWED_HOSTS=["a", "*"]) == ["fanout.E010"]
    assert of_site(CSRF_TRUSTED_ORIGINS=["https://a.example", "http://localhost:3000"]) == []
    assert of_site(CSRF_TRUSTED_ORIGINS=["http://a.example"]) == ["fanout.W011"]
    assert of_site(DATABASES={"default": {"CONN_MAX_AGE": 0}}) == []
    assert of_site(DATABASES={"default": {"CONN_MAX_AGE": 60}}) == ["fanout.W012"]
    assert of_site(DATABASES={"default": {"CONN_MAX_AGE": None}}) == ["fanout.W012"]


def test_our_application_checks_origins_and_reads_no_user():
    """The one that a replica serves."""
    assert of_site(ASGI_APPLICATION="config.asgi.application") == []
    assert of_site(ASGI_APPLICATION="config.asgi.nothing") == []


def test_an_application_as_channels_tutorial_has_it_is_found(monkeypatch):
    """AuthMiddlewareStack for each handshake; without AllowedHostsOriginValidator also that."""
    from channels.auth import AuthMiddlewareStack
    from channels.routing import ProtocolTypeRouter, URLRouter
    from channels.security.websocket import AllowedHostsOriginValidator

    stack = AuthMiddlewareStack(URLRouter([]))
    monkeypatch.setattr(
        asgi, "tutorial", ProtocolTypeRouter({"websocket": AllowedHostsOriginValidator(stack)}), raising=False
    )
    monkeypatch.setattr(asgi, "open", ProtocolTypeRouter({"websocket": stack}), raising=False)
    monkeypatch.setattr(asgi, "http", ProtocolTypeRouter({}), raising=False)
    assert of_site(ASGI_APPLICATION="config.asgi.tutorial") == ["fanout.W014"]
    assert of_site(ASGI_APPLICATION="config.asgi.open") == ["fanout.E013", "fanout.W014"]
    assert of_site(ASGI_APPLICATION="config.asgi.http") == []


def test_the_pins_are_those_of_the_project():
    """One place names them, and this one follows."""
    names = tomllib.loads((APP.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = dict(re.sub(r"\[.*\]", "", name).split("==") for name in names if "==" in name)
    assert pinned == parts.PINNED
    assert list(parts.findings()) == []


def test_another_version_is_found():
    """One that is missing is not: the server is not used then."""
    (finding,) = parts.findings({"twisted": "24.3.0", "daphne": parts.PINNED["daphne"]})
    assert (finding.id, finding.do) == ("fanout.E020", f"pip install twisted=={parts.PINNED['twisted']}")


# -- Redis -------------------------------------------------------------------------------------------------

INFO = {"redis_version": "7.0.15", "cluster_enabled": "0", "role": "master", "connected_slaves": "0",
        "maxmemory": "0", "used_memory": "1000000", "aof_enabled": "1"}  # fmt: skip
CONFIG = {"maxmemory-policy": "noeviction", "timeout": "0", "min-replicas-to-write": "0",
          "client-output-buffer-limit": "normal 0 0 0 slave 0 0 0 pubsub 134217728 33554432 60"}  # fmt: skip


@pytest.mark.parametrize(
    ("info", "config", "found"),
    [
        ({}, {}, []),
        ({}, None, []),
        ({"redis_version": "5.0.7"}, {}, ["fanout.E031"]),
        ({"cluster_enabled": "1"}, {}, ["fanout.E032"]),
        ({}, {"maxmemory-policy": "allkeys-lru"}, ["fanout.E033"]),
        ({"maxmemory_policy": "volatile-ttl"}, None, ["fanout.E033"]),
        ({"maxmemory": "1000000", "used_memory": "900000"}, {}, ["fanout.W034"]),
        ({"aof_enabled": "0"}, {}, ["fanout.W035"]),
        ({"connected_slaves": "2"}, {}, ["fanout.W036"]),
        ({"connected_slaves": "2"}, {"min-replicas-to-write": "1"}, []),
        ({}, {"timeout": "300"}, ["fanout.W037"]),
        ({}, {"client-output-buffer-limit": "normal 0 0 0 pubsub 33554432 8388608 60"}, ["fanout.W038"]),
        ({}, {"client-output-buffer-limit": "normal 0 0 0 pubsub 0 0 0"}, []),
    ],
)
def test_a_redis_that_loses_is_found(info, config, found):
    """By what it says of itself; a hosted one that refuses CONFIG is judged by INFO alone."""
    told = redis.judge("Redis", {**INFO, **info}, {} if config is None else {**CONFIG, **config})
    assert [finding.id for finding in told] == found


def test_a_real_redis_is_asked(own_redis):
    """As ours are set there is nothing, set wrongly there is, and gone it is gone."""
    import redis as client

    config = {"hosts": [own_redis.url]}
    with client.Redis.from_url(own_redis.operators_url) as link:
        for name, value in (("appendonly", "yes"), ("client-output-buffer-limit", "pubsub 128mb 32mb 60")):
            link.config_set(name, value)
        assert redis.findings(config) == []
        link.config_set("maxmemory-policy", "allkeys-lru")
        link.config_set("timeout", "30")
        assert [finding.id for finding in redis.findings(config)] == ["fanout.E033", "fanout.W037"]
    own_redis.kill()
    (finding,) = redis.findings({"hosts": [own_redis.url, own_redis.url]})[:1]
    assert (finding.id, finding.what.partition(" at ")[0]) == ("fanout.E030", "Redis 1 of 2")


def test_a_redis_that_is_away_is_told_by_where_and_how():
    """Nobody listens there, or it does not take the password: which of the two, and where, without the password."""
    (finding,) = redis.findings({"hosts": ["redis://:secret@127.0.0.1:1"]})
    assert finding.what.startswith("Redis at 127.0.0.1:1 does not answer: Redis can't be reached: Error 111 connecting")
    assert "secret" not in finding.what


def test_a_redis_that_refuses_the_password_is_told(own_redis):
    """By what it says itself."""
    parts = urlsplit(own_redis.url)
    wrong = parts._replace(netloc=f"stranger:mistaken@{parts.netloc.rpartition('@')[2]}", query="").geturl()
    (finding,) = redis.findings({"hosts": [wrong]})
    assert "invalid username-password pair" in finding.what
    assert "mistaken" not in finding.what


def doctor(environment):
    """What `manage.py doctor` prints, and its exit code."""
    command = [sys.executable, str(APP / "manage.py"), "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_command_tells_and_fails_when_something_fails(start, own_redis):
    """Warnings alone are no failure."""
    code, said = doctor(start.environment)
    assert (code, said.splitlines()[0]) == (0, "fanout.W003  CHANNEL_LAYERS is in memory.")
    own_redis.stop()
    code, said = doctor({**start.environment, "FANOUT_REDIS_URLS": own_redis.url})
    assert code == 1
    assert said.startswith("fanout.E030  Redis at ")
    assert "does not answer" in said.splitlines()[0]


def test_the_settings_of_the_project_have_nothing(redis_default_layer):
    """With Redis, as in a fleet."""
    assert settings.ASGI_APPLICATION == "config.asgi.application"
    assert [finding.id for finding in findings()] == []


def test_what_the_doctor_finds_is_listed():
    """Each check by its number, once."""
    code = "".join(path.read_text() for path in (APP / "ops/checks").glob("*.py"))
    table = (APP.parent / "deploy/fleet/doctor/README.md").read_text()
    assert sorted(re.findall(r"\b[EW]\d{3}\b", table)) == sorted(set(re.findall(r'"fanout\.([EW]\d+)"', code)))


def test_limits_that_are_lifted_are_found():
    """All of them at once, or for everybody."""
    lifted = dict.fromkeys(limits.NUMBERS.values(), 0)
    assert [each.id for each in limit_findings(lifted)] == ["fanout.W015"]
    assert list(limit_findings({"connections_per_address": 0})) == []


@pytest.mark.parametrize(
    ("exempt", "found"),
    [
        (("::/0",), ["::/0, which is everybody"]),
        (("0.0.0.0/0", "::/0"), ["0.0.0.0/0, which is everybody", "::/0, which is everybody"]),
        (("0.0.0.0/1", "10.0.0.0/8", "128.0.0.0/1"), ["0.0.0.0/0, which is everybody"]),
        (("128.0.0.0/2", "0.0.0.0/1", "192.0.0.0/2"), ["0.0.0.0/0, which is everybody"]),
        (("10.0.0.0/7",), ["10.0.0.0/7, which is 0.78 % of all addresses"]),
        (("8.0.0.0/6", "127.0.0.0/8"), ["8.0.0.0/6, which is 1.6 % of all addresses"]),
        (("2000::/4", "3000::/4"), ["2000::/3, which is 12 % of all addresses"]),
        (("2000::/12",), ["2000::/12, which is 0.024 % of all addresses"]),
        (limits.WORDS["private"], []),
        (("192.0.2.0/24", "2001:db8::/32"), []),
        ((), []),
    ],
)
def test_limits_that_are_not_for_strangers_are_found(exempt, found):
    """In whatever pieces they are exempted; one's own networks are one's own affair."""
    said = [f"{each.id} {each.what}" for each in limit_findings({"exempt": exempt})]
    assert len(said) == len(found)
    for one, expected in zip(said, found, strict=True):
        assert "W016" in one
        assert expected in one
