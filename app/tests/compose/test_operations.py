"""What operators ask a fleet in containers: Prometheus on the network of nginx, and the doctor."""

import http.client
import json
import os

import pytest

from fleet.compose.engine import EngineError
from fleet.compose.project import defaults
from tests.cluster.clients import await_that

pytestmark = [pytest.mark.compose, pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 120
OBSERVERS = ("prometheus", "redis-exporter", "nginx-exporter")
INSTANT = ("promtool", "query", "instant", "--format", "json", "http://127.0.0.1:9090")


@pytest.fixture
def watched(own):
    """A fleet with the profile `observability`, which answers; its images may be stand-ins, and Grafana has none."""
    for name in OBSERVERS:
        image = os.environ.get(variable := f"{name.upper().replace('-', '_')}_IMAGE") or defaults()[variable]
        if not own.docker("image", "ls", "--quiet", image).strip():
            pytest.skip(f"{image} is missing: docker pull {image}, or deploy/images/standins.sh {name}")
    port = str(own.another_port())
    profile = ("--profile", "observability")
    own.by_hand(*profile, "up", "--detach", "--no-deps", *OBSERVERS, PROMETHEUS_PORT=port)
    try:
        await_that(lambda: not own.listed("prometheus")[0].ill(), SECONDS, "Prometheus is well")
        yield own
    finally:
        own.by_hand(*profile, "rm", "--stop", "--force", *OBSERVERS, PROMETHEUS_PORT=port)


def told(fleet, query):
    """The replicas or jobs that a query has a value for, and the value; none when there is no answer."""
    (container,) = fleet.listed("prometheus")
    try:
        said = fleet.docker("exec", container.id, *INSTANT, query)
    except EngineError as error:
        print(error)  # noqa: T201 - the reason, when it goes on for too long
        return {}
    return {each["metric"].get("replica") or each["metric"]["job"]: each["value"][1] for each in json.loads(said)}


def test_prometheus_finds_the_replicas_the_worker_redis_and_nginx(watched):
    """By the port that nginx keeps for the inside, by the worker's, and by exporters: one may ask for figures alone."""
    three = {"web-1", "web-2", "web-3"}
    await_that(lambda: set(told(watched, 'up{job="fanout"} == 1')) == three, SECONDS, "all are up")
    ready = 'fanout_replica_state{state="ready"} == 1'
    await_that(lambda: set(told(watched, ready)) == three, SECONDS, "all are ready")
    await_that(lambda: told(watched, "fanout_task_ok == 1") == {"worker": "1"}, SECONDS, "the worker does well")
    for name in ("fanout_task_lost_total", "fanout_task_lag_seconds"):
        query = f'{name}{{task="archive"}}'
        await_that(lambda query=query: told(watched, query).keys() == {"worker"}, SECONDS, query)
    exporters = {"redis": "1", "nginx": "1"}
    await_that(lambda: told(watched, "redis_up or nginx_up") == exporters, SECONDS, "Redis and nginx are seen")
    for query in ("redis_aof_last_write_status == 1", "redis_memory_max_bytes > 0"):
        await_that(lambda query=query: told(watched, query).keys() == {"redis"}, SECONDS, query)


def test_of_a_worker_that_is_away_prometheus_tells(watched):
    """Its target stays, and is down."""
    await_that(lambda: told(watched, 'up{job="worker"}') == {"worker": "1"}, SECONDS, "it is up")
    (worker,) = watched.listed("worker")
    watched.docker("stop", worker.id)
    try:
        firing = 'ALERTS{alertname="FanoutWorkerDown"}'
        await_that(lambda: told(watched, firing) == {"worker": "1"}, SECONDS, "the alert is there")
    finally:
        watched.docker("start", worker.id)
    await_that(lambda: told(watched, 'up{job="worker"}') == {"worker": "1"}, SECONDS, "it is up again")


def test_outside_nothing_of_it_is_told(own):
    """Whoever comes through the published port is a stranger, this machine too; the other port is not published."""
    for path in (
        "/healthz", "/ops/targets", "/ops/replicas/web-1/metrics", "/metrics", "/readyz", "/version", "/ops/nginx",
    ):  # fmt: skip
        link = http.client.HTTPConnection("127.0.0.1", own.port, timeout=10)
        link.request("GET", path)
        assert link.getresponse().status == 403
        link.close()


def test_the_workers_port_is_not_reached_from_where_the_world_is(own):
    """It answers in its own networks, and not to nginx."""
    (worker,) = own.listed("worker")
    (said,) = own.project.engine.inspect([worker.id])
    address = said["NetworkSettings"]["Networks"][f"{own.project.name}_worker"]["IPAddress"]
    url = f"http://{address}:8082/metrics"
    ask = f"import urllib.request; print(urllib.request.urlopen('{url}', timeout=5).read().decode())"
    assert 'fanout_task_ok{task="archive"}' in own.by_hand("exec", "-T", "worker", "python", "-c", ask).stdout
    with pytest.raises(AssertionError, match="failed"):
        own.by_hand("exec", "-T", "nginx", "curl", "--silent", "--max-time", "3", url)


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
