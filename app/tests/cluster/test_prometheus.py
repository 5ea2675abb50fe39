"""A real Prometheus beside a real fleet: it finds each replica, and Redis and nginx by their exporters."""

import json
import os
import signal
import sys
import time

import pytest
from websockets.sync.client import connect

from drills import traffic
from drills.prometheus import Observer, Prometheus
from tests.panels import DASHBOARDS, panels, queries
from tests.ports import a_free_port

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SECONDS = 60


class Sight(Prometheus):
    """Waits for what a running Prometheus sees."""

    def until(self, query, expected):
        """Wait until a query has this answer."""
        deadline, found = time.monotonic() + SECONDS, None
        while found != expected and time.monotonic() < deadline:
            found = self.value(query)
            time.sleep(0.1)
        assert found == expected


@pytest.fixture(scope="module")
def prometheus(own_fleet, start_once):
    """Prometheus and both exporters as deploy/prometheus/README.md starts them, on ports of their own."""
    ports = tuple(a_free_port() for _ in range(3))
    redis = f"unix://{own_fleet.run_dir}/redis/redis.sock"
    observer = Observer(start_once.folder, f"127.0.0.1:{own_fleet.port}", redis, ports)
    observer.write()
    for command in observer.commands():
        start_once.process(*command)
    return Sight(ports[0])


def test_it_finds_the_replicas_as_they_come_and_go(own_fleet, prometheus):
    """Without an edit: three, then four, then three again; each says that it is ready."""
    three = {f"web-{number}": "1" for number in (1, 2, 3)}
    prometheus.until('up{job="fanout"}', three)
    prometheus.until('fanout_replica_state{state="ready"} == 1', three)
    own_fleet.make("scale", REPLICAS=4)
    prometheus.until('up{job="fanout"}', {**three, "web-4": "1"})
    own_fleet.make("scale", REPLICAS=3)
    prometheus.until('up{job="fanout"}', three)


def test_it_sees_redis_and_nginx_and_the_worker(prometheus):
    """Redis and nginx by Debian's exporters, the worker by its socket: its jobs do well."""
    prometheus.until("min by (job) (fanout_task_ok)", {"worker": "1"})
    prometheus.until("redis_up", {"redis": "1"})
    prometheus.until("nginx_up", {"nginx": "1"})


def test_a_replica_that_is_killed_stays_a_target(own_fleet, prometheus):
    """Its socket is left behind, so it is down and not gone; nothing else is amiss once it is back."""
    prometheus.until('up{job="fanout",replica="web-2"}', {"web-2": "1"})
    stopped = own_fleet.pid("web-2")
    os.kill(stopped, signal.SIGSTOP)
    try:
        prometheus.until('up{job="fanout",replica="web-2"}', {"web-2": "0"})
        prometheus.until('ALERTS{alertname="FanoutReplicaDown"}', {"web-2": "1"})
        prometheus.until('up{job="fanout",replica="web-1"}', {"web-1": "1"})
    finally:
        os.kill(stopped, signal.SIGCONT)
    prometheus.until('up{job="fanout",replica="web-2"}', {"web-2": "1"})
    prometheus.until('ALERTS{alertname="FanoutReplicaDown"}', {})


def test_every_rule_is_evaluated(prometheus):
    """Against the metrics that there are, without an error."""
    deadline = time.monotonic() + SECONDS
    groups = []
    while time.monotonic() < deadline:
        groups = (prometheus.get("rules") or {"groups": []})["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        if rules and all(rule["health"] == "ok" for rule in rules):
            return
        time.sleep(0.1)
    raise AssertionError(groups)


CHOSEN = {"$__rate_interval": "15s", '=~"$replica"': '=~".*"', '="$replica"': '="web-1"', '=~"$redis"': '=~".*"'}
"""What Grafana puts in the place of variables."""


def asked():
    """Every query of every panel, as Grafana would send it."""
    for path in DASHBOARDS:
        for panel in panels(json.loads(path.read_text())):
            for query in queries(panel):
                for variable, value in CHOSEN.items():
                    query = query.replace(variable, value)  # noqa: PLW2901
                assert "$" not in query
                yield f"{path.stem}: {panel['title']}: {query}", query


def has_data(answer):
    """Whether a panel has a number to show."""
    return any(each["value"][1] != "NaN" for each in (answer or {"result": []})["result"])


def test_every_panel_of_the_dashboards_has_data(own_fleet, prometheus, start):
    """Of a fleet whose clients come and talk: each query is understood, and has a number for an answer."""
    room = f"{own_fleet.ws_url}/ws/chat/panels/"
    start.process(sys.executable, traffic.__file__, room, "6", "20")
    deadline, missing = time.monotonic() + SECONDS, dict(asked())
    assert len(missing) > 50
    while missing and time.monotonic() < deadline:
        with connect(room, proxy=None):
            pass
        missing = {name: query for name, query in missing.items() if not has_data(prometheus.get("query", query=query))}
    assert not missing
