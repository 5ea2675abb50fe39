"""What compose.yaml holds every service to, without an engine."""

import re

import pytest
import yaml

from fleet import supervision
from fleet.compose import edge, replicas, secrets
from fleet.compose.project import FILE, defaults
from fleet.options import REPOSITORY
from server import ending

PINNED = re.compile(r"[a-z0-9./_-]+:(?!latest)[\w.-]+")


@pytest.fixture(scope="module")
def described():
    """The file, with the defaults of its variables."""
    text = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", FILE.read_text())
    assert "${" not in text
    return yaml.safe_load(text)


@pytest.fixture(scope="module")
def services(described):
    return described["services"]


def test_every_service_is_hardened(services):
    """Nothing of root's, nothing to write to, an end to everything it takes."""
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert service["init"] is True, name
        assert not service["user"].startswith(("0", "root")), name
        assert {"mem_limit", "cpus", "pids_limit", "ulimits", "logging", "networks"} <= set(service), name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name


def test_every_image_is_pinned(services):
    """By a tag that is not `latest`."""
    for service in services.values():
        assert PINNED.fullmatch(service["image"])


def test_only_nginx_is_published_and_to_this_machine(services):
    """Whoever wants more says BIND; pages of others are there only with their profiles."""
    pages = {"nginx", "locust", "prometheus", "grafana"}
    assert {name for name, service in services.items() if "ports" in service} == pages
    observers = {name for name, service in services.items() if service.get("profiles") == ["observability"]}
    assert observers == {"prometheus", "redis-exporter", "nginx-exporter", "grafana"}
    assert services["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]
    assert services["grafana"]["ports"] == ["127.0.0.1:3000:3000"]
    assert services["locust"]["profiles"] == services["locust-worker"]["profiles"] == ["load"]
    assert services["locust"]["ports"] == ["127.0.0.1:8089:8089"]
    assert services["nginx"]["ports"] == ["127.0.0.1:8080:8080"]


def test_networks_join_a_server_with_its_clients(described, services):
    """They lead nowhere else; nginx reaches replicas by their sockets alone."""
    assert {name: set(service["networks"]) for name, service in services.items()} == {
        "nginx": {"edge"},
        "web": {"redis", "database"},
        "worker": {"redis", "database", "worker"},
        "migrate": {"database"},
        "redis": {"redis"},
        "postgres": {"database"},
        "locust": {"edge"},
        "locust-worker": {"edge"},
        "prometheus": {"edge", "worker"},
        "redis-exporter": {"edge", "redis"},
        "nginx-exporter": {"edge"},
        "grafana": {"edge"},
    }
    closed = {name for name, network in described["networks"].items() if network.get("internal")}
    assert closed == {"redis", "database", "worker"}


def test_a_replica_has_more_time_to_end_than_a_drain_takes(services):
    """Natively and here, and make waits as long."""
    assert services["web"]["stop_grace_period"] == f"{replicas.DRAIN_SECONDS}s"
    assert supervision.DRAIN_SECONDS == replicas.DRAIN_SECONDS > ending.DRAIN_LIMIT
    assert services["worker"]["stop_grace_period"] == f"{supervision.WORKER_SECONDS}s"


def test_replicas_wait_for_what_they_need(services):
    """The schema, and servers that answer."""
    conditions = {name: each["condition"] for name, each in services["web"]["depends_on"].items()}
    assert conditions == {
        "migrate": "service_completed_successfully",
        "redis": "service_healthy",
        "postgres": "service_healthy",
        "nginx": "service_started",
    }


def test_no_value_is_a_secret(services):
    """Secrets are files."""
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY", name):
                assert name.endswith("_FILE")
                assert value.startswith("/run/secrets/")


def test_the_secrets_are_those_that_make_generates(described):
    """Each under its name in one folder; the operators' is in no container."""
    assert {name: each["file"] for name, each in described["secrets"].items()} == {
        name: f"./.run/secrets/{name}" for name in secrets.NAMES if name != secrets.OPERATOR_PASSWORD
    }


def test_the_health_checks_need_no_shell(services):
    """CMD, never CMD-SHELL; those of our images stand in the Dockerfile."""
    for name in ("redis", "postgres", "prometheus", "grafana"):
        assert services[name]["healthcheck"]["test"][0] == "CMD"
    checks = re.findall(
        r"^HEALTHCHECK .*?CMD (.)", (REPOSITORY / "deploy/Dockerfile").read_text(), re.MULTILINE | re.DOTALL
    )
    assert checks == ["[", "["]


def test_only_what_both_versions_know_is_used(described, services):
    """docker-compose 1.29 refuses or ignores the rest in silence."""
    assert set(described) <= {
        "services",
        "networks",
        "volumes",
        "secrets",
        *(key for key in described if key[:2] == "x-"),
    }
    for service in services.values():
        assert not {"develop", "configs", "attach", "scale", "pull_policy"} & set(service)
        assert set(service.get("deploy", {})) <= {"replicas"}


def test_the_base_images_are_the_same_everywhere():
    """In compose.yaml, in the Dockerfile, and in the script that makes stand-ins."""
    dockerfile = dict(
        re.findall(r"^ARG (\w+_IMAGE)=(\S+)", (REPOSITORY / "deploy/Dockerfile").read_text(), re.MULTILINE)
    )
    script = (REPOSITORY / "deploy/images/standins.sh").read_text()
    standins = dict(re.findall(r"\$\{(\w+_IMAGE):-([^}]+)\}", script))
    assert set(dockerfile) == {"PYTHON_IMAGE", "NGINX_IMAGE"}
    assert standins == {name: defaults()[name] for name in standins}
    assert dockerfile.items() <= standins.items()


def test_nginx_listens_on_the_port_that_is_published():
    """And finds sockets where replicas make them."""
    text = FILE.read_text()
    assert f':{edge.PORT}"]' in text
    assert f"sockets:{edge.SOCKETS}" in text
    assert f'"--socket-dir", "{edge.SOCKETS}"' in text


def test_redis_is_bounded_below_its_container(services):
    """Publishers are told before the kernel kills: maxmemory is at most half of what the container may take."""
    words = services["redis"]["command"]
    assert int(words[words.index("--maxmemory") + 1].removesuffix("mb")) * 2 <= int(services["redis"]["mem_limit"][:-1])


def test_redis_is_bounded_alike_wherever_it_runs(services):
    """What fits natively fits in containers; no machine is filled by a room."""
    words = services["redis"]["command"]
    assert f"\nmaxmemory {words[words.index('--maxmemory') + 1]}\n" in supervision.REDIS_CONF.read_text()
