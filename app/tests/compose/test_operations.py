"""What operators ask a fleet in containers: Prometheus on the network of nginx, and the doctor."""

import http.client
import json
import os

import pytest

from fleet.compose.project import defaults
from tests.cluster.clients import await_that

pytestmark = [pytest.mark.compose, pytest.mark.slow, pytest.mark.timeout(400)]

SECONDS = 60
OBSERVERS = ("prometheus", "redis-exporter", "nginx-exporter")
INSTANT = ("promtool", "query", "instant", "--format", "json", "http://127.0.0.1:9090")


@pytest.fixture
def watched(own):
    """A fleet with the profile `observability`, whose images may be stand-ins; Grafana has none."""
    for name in OBSERVERS:
        image = os.environ.get(variable := f"{name.upper().replace('-', '_')}_IMAGE") or defaults()[variable]
        if not own.docker("image", "ls", "--quiet", image).strip():
            pytest.skip(f"{image} is missing: docker pull {image}, or deploy/images/standins.sh {name}")
    port = str(own.another_port())
    own.by_hand("--profile", "observability", "up", "--detach", "--no-deps", *OBSERVERS, PROMETHEUS_PORT=port)
    yield own
    own.by_hand("--profile", "observability", "rm", "--stop", "--force", *OBSERVERS, PROMETHEUS_PORT=port)


def told(fleet, query):
    """The replicas or jobs that a query has a value for, and the value."""
    (container,) = fleet.listed("prometheus")
    said = fleet.docker("exec", container.id, *INSTANT, query)
    return {each["metric"].get("replica") or each["metric"]["job"]: each["value"][1] for each in json.loads(said)}


def test_prometheus_finds_the_replicas_redis_and_nginx(watched):
    """By the port that nginx keeps for the inside, and by exporters: one with an account for figures alone."""
    await_that(lambda: not watched.listed("prometheus")[0].ill(), SECONDS, "Prometheus is well")
    three = {"web-1", "web-2", "web-3"}
    await_that(lambda: set(told(watched, 'up{job="fanout"} == 1')) == three, SECONDS, "all are up")
    ready = 'fanout_replica_state{state="ready"} == 1'
    await_that(lambda: set(told(watched, ready)) == three, SECONDS, "all are ready")
    exporters = {"redis": "1", "nginx": "1"}
    await_that(lambda: told(watched, "redis_up or nginx_up") == exporters, SECONDS, "Redis and nginx are seen")
    assert told(watched, "redis_aof_last_write_status") == {"redis": "1"}
    assert told(watched, "redis_memory_max_bytes > 0").keys() == {"redis"}


def test_outside_nothing_of_it_is_told(own):
    """Whoever comes through the published port is a stranger, this machine too; the other port is not published."""
    for path in (
        "/healthz", "/ops/targets", "/ops/replicas/web-1/metrics", "/metrics", "/readyz", "/version", "/ops/nginx",
    ):  # fmt: skip
        link = http.client.HTTPConnection("127.0.0.1", own.port, timeout=10)
        link.request("GET", path)
        assert link.getresponse().status == 403
        link.close()


def test_the_doctor_looks_at_it_as_a_replica_sees_it(own):
    """Nginx' configuration, the settings, and Redis with its password: nothing is found."""
    done = own.make("doctor")
    assert done.stdout.splitlines()[-1] == "Settings and Redis: nothing found."
    assert "nginx: nothing found." in done.stdout


def test_the_commands_of_a_runbook_are_answered(own):
    """Nginx has curl, and Redis takes the password from its file, as every runbook has it."""
    url = "http://127.0.0.1:8080/ops/replicas/web-1/readyz"
    assert json.loads(own.by_hand("exec", "-T", "nginx", "curl", "--silent", url).stdout)["status"] == "ready"
    password = (own.run_dir / "secrets/redis_operator_password").read_text().strip()
    asked = ("redis-cli", "config", "get", "maxmemory-policy")
    said = own.by_hand("exec", "-T", "-e", f"REDISCLI_AUTH={password}", "redis", *asked)
    assert "noeviction" in said.stdout
