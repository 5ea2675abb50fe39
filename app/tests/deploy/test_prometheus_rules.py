"""Every rule of deploy/prometheus, judged by promtool: what makes it fire, what does not, and what it says."""

import json
import re
import subprocess
from dataclasses import dataclass, field

import pytest
import yaml

from fleet import packages
from fleet.compose import edge
from fleet.options import REPOSITORY
from fleet.quality import check_prometheus

FOLDER = REPOSITORY / "deploy/prometheus"
RULE_FILES = [FOLDER / "rules/alerts.yml", FOLDER / "rules/objectives.yml"]
RULES = [rule for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDS = [rule["record"] for rule in RULES if "record" in rule]
RUNBOOKS = REPOSITORY / "deploy/runbooks"

WEB1 = 'job="fanout",instance="web-1",replica="web-1"'
WEB2 = 'job="fanout",instance="web-2",replica="web-2"'
TARGET = {"job": "fanout", "instance": "web-1", "replica": "web-1"}
MIB = 1024 * 1024


@dataclass(frozen=True)
class Case:
    """Series, one sample each 15 s, that make an alert fire at a time, and not yet at an earlier one."""

    alert: str
    series: dict[str, str]
    fires_at: str
    quiet_at: str
    summary: str
    labels: dict[str, str] = field(default_factory=dict)


def degraded(check):
    """A replica that was ready, and lost what it depends on after a minute."""
    return {
        f'fanout_check_ok{{{WEB1},check="{check}"}}': "1x4 0x40",
        f'fanout_replica_state{{{WEB1},state="degraded"}}': "0x4 1x40",
    }


def slow(metric, bounds):
    """A histogram of which each tenth lies between its two bounds."""
    quick, late = bounds
    return {
        f'{metric}_bucket{{{WEB1},le="{quick}"}}': "0+90x60",
        f'{metric}_bucket{{{WEB1},le="{late}"}}': "0+100x60",
        f'{metric}_bucket{{{WEB1},le="+Inf"}}': "0+100x60",
    }


CASES = [
    Case("FanoutUnreachable", {f"up{{{WEB1}}}": "1x4 0x20", f"up{{{WEB2}}}": "1x4 0x20"}, "3m", "2m",
         "No replica can be reached through nginx."),
    Case("FanoutUnreachable", {}, "2m", "45s", "No replica can be reached through nginx."),
    Case("FanoutReplicaDown", {f"up{{{WEB1}}}": "1x4 0x20", f"up{{{WEB2}}}": "1x30"}, "3m", "2m",
         "web-1 does not answer.", TARGET),
    Case("FanoutReplicaNotReady", {f'fanout_replica_state{{{WEB1},state="starting"}}': "1x20"}, "3m", "1m",
         "web-1 is not ready.", {"replica": "web-1"}),
    Case("FanoutReplicaNotReady", {f'fanout_replica_state{{{WEB1},state="stuck"}}': "0x8 1x20"}, "5m", "2m",
         "web-1 is not ready.", {"replica": "web-1"}),
    Case("FanoutReplicaRestarting", {f"process_start_time_seconds{{{WEB1}}}": "100x8 200x8 300x8 400x40"}, "7m", "5m",
         "web-1 was started 3 times in 15 minutes.", TARGET),
    Case("FanoutVersionsDiffer",
         {f'fanout_build_info{{{WEB1},version="1.0"}}': "1x200", f'fanout_build_info{{{WEB2},version="1.1"}}': "1x200"},
         "31m", "29m", "Replicas of 2 versions run side by side."),
    Case("FanoutLoopLag", slow("fanout_loop_lag_seconds", (0.25, 0.5)), "8m", "4m",
         "The event loop of web-1 is 475ms late.", {"replica": "web-1"}),
    Case("FanoutMemoryHigh", {f"process_resident_memory_bytes{{{WEB1}}}": f"{100 * MIB}x4 {448 * MIB}x40"}, "7m", "5m",
         "web-1 takes 448MiB of memory.", TARGET),
    Case("FanoutDescriptorsLow",
         {f"process_open_fds{{{WEB1}}}": "100x4 900x40", f"process_max_fds{{{WEB1}}}": "1000x40"}, "4m", "2m",
         "web-1 has opened 90% of the files that it may.", TARGET),
    Case("FanoutHandshakeStorm", {f'fanout_handshakes_total{{{WEB1},result="accepted"}}': "0x8 0+15000x20"},
         "5m", "2m", "web-1 shakes hands 1000 times a second.", {"replica": "web-1"}),
    Case("FanoutOriginsRefused", {f'fanout_handshakes_total{{{WEB1},result="bad_origin"}}': "0+1x60"}, "10m", "3m",
         "40 sockets were refused for the page they came from."),
    Case("FanoutSlowConsumers", {f"fanout_slow_consumers_total{{{WEB1}}}": "0x8 6x60"}, "10m", "2m",
         "web-1 has cut off 6 clients that read too slowly.", {"replica": "web-1"}),
    Case("FanoutOutboxGrowing", {f"fanout_outbox_bytes{{{WEB1}}}": f"0x4 {96 * MIB}x40"}, "4m", "2m",
         "96MiB wait in web-1 for clients to read.", TARGET),
    Case("FanoutPositionsLost", {f'fanout_resets_total{{{WEB1},reason="lost"}}': "0x8 2x60"}, "10m", "2m",
         "2 clients were told that their position is lost."),
    Case("FanoutHistoryTooShort", {f'fanout_resets_total{{{WEB1},reason="trimmed"}}': "0x8 30x300"}, "30m", "2m",
         "30 clients came back to find that their history is not kept any more."),
    Case("FanoutGapsFound", {f"fanout_gaps_found_total{{{WEB1}}}": "0+1x60"}, "10m", "1m",
         "web-1 has found 40 gaps in live streams.", {"replica": "web-1"}),
    Case("FanoutRedisUnavailable", degraded("redis"), "2m", "1m15s", "web-1 has lost Redis.", {"replica": "web-1"}),
    Case("FanoutRedisSlow", slow("fanout_redis_round_trip_seconds", (0.1, 0.25)), "4m", "1m",
         "Redis takes 235ms to answer web-1.", {"replica": "web-1"}),
    Case("FanoutRedisReconnecting", {f"fanout_redis_reconnects_total{{{WEB1}}}": "0x8 5x60"}, "10m", "2m",
         "web-1 had to connect to Redis 5 times in ten minutes.", TARGET),
    Case("FanoutDatabaseUnavailable", degraded("database"), "3m", "1m45s", "web-1 has lost the database.",
         {"replica": "web-1"}),
    Case("FanoutWorkerDown", {'up{job="worker",instance="edge"}': "1x4 0x20", f"up{{{WEB1}}}": "1x30"}, "3m", "2m",
         "The worker does not answer.", {"job": "worker", "instance": "edge"}),
    Case("FanoutWorkerDown", {'up{job="worker",instance="pod"}': "1x4 stale", f"up{{{WEB1}}}": "1x30"}, "3m", "2m",
         "The worker does not answer.", {"job": "worker"}),
    Case("FanoutWorkerBehind", {'fanout_task_ok{job="worker",task="archive"}': "1x4 0x20"}, "5m", "4m",
         "The job archive of the worker fails, or is behind.", {"job": "worker", "task": "archive"}),
    Case("FanoutArchiveIncomplete", {'fanout_task_lost_total{job="worker",task="archive"}': "0x8 9x60"}, "10m", "2m",
         "9 publications were gone before the worker had copied them.", {"job": "worker", "task": "archive"}),
    Case("FanoutArchiveIncomplete", {'fanout_task_lost_total{job="worker",task="archive"}': "_x60 9x60"}, "16m", "14m",
         "9 publications were gone before the worker had copied them.", {"job": "worker", "task": "archive"}),
    Case("ExporterDown", {'up{job="redis",instance="a"}': "1x4 0x20", 'up{job="nginx",instance="b"}': "1x30"},
         "4m", "3m", "The exporter of redis does not answer.", {"job": "redis", "instance": "a"}),
    Case("RedisDown", {'redis_up{job="redis"}': "1x4 0x20"}, "3m", "2m", "Redis does not answer its exporter.",
         {"job": "redis"}),
    Case("RedisMemoryNearLimit",
         {'redis_memory_used_bytes{job="redis"}': "10x4 90x40", 'redis_memory_max_bytes{job="redis"}': "100x60"},
         "7m", "5m", "Redis has used 90% of its memory.", {"job": "redis"}),
    Case("RedisEvicting", {'redis_evicted_keys_total{job="redis"}': "0x8 12x60"}, "10m", "2m",
         "Redis has evicted 12 keys.", {"job": "redis"}),
    Case("RedisNotPersisting", {'redis_aof_last_write_status{job="redis"}': "1x4 0x20"}, "2m", "1m15s",
         "Redis cannot write its append-only file.", {"job": "redis"}),
    Case("CertificateExpiring",
         {'probe_ssl_earliest_cert_expiry{job="certificate",instance="127.0.0.1:8443"}': f"{8 * 24 * 3600}x80"},
         "20m", "9m", "The certificate of 127.0.0.1:8443 is valid for 7d 23h 40m 0s more.",
         {"job": "certificate", "instance": "127.0.0.1:8443"}),
    Case("NginxDown", {'nginx_up{job="nginx"}': "1x4 0x20"}, "3m", "2m", "nginx does not answer its exporter.",
         {"job": "nginx"}),
]  # fmt: skip

BURNS = {
    "FanoutPublicationErrors": (
        "publication_errors", 0.001, "Redis does not take publications: {} of them failed.",
        "fanout_publications_total{%s}", "fanout_publications_unavailable_total{%s}",
    ),
    "FanoutDeliveriesLate": (
        "late_deliveries", 0.01, "Messages arrive late: {} of them after more than 0.25 s.",
        'fanout_delivery_latency_seconds_bucket{%s,le="0.25"}', "fanout_delivery_latency_seconds_count{%s}",
    ),
    "FanoutHandshakeErrors": (
        "handshake_errors", 0.001, "Clients cannot connect: {} of the handshakes failed.",
        'fanout_handshakes_total{%s,result="accepted"}', 'fanout_handshakes_total{%s,result="failed"}',
    ),
    "FanoutUnreachable": (
        "unreachable", 0.001, "No replica could be reached through nginx for {} of the time.",
        "nginx_up{%s}", "fanout:unreachable{%.0s}",
    ),
}  # fmt: skip
"""Alert → its records' name, budget, summary, and the series of what went well and what did not (or of all).

Of the time there is no counter: a sample is 1 while nobody gets in.
"""
SPEEDS = {"1h": 14.4, "6h": 6, "1d": 3, "3d": 1}
"""By the long window: how many times as fast as the budget allows."""
WINDOWS = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"]


def promtool(folder, rules, *tests, every="15s"):
    """Have promtool run tests against rule files, evaluated so often; return what it says when one fails."""
    file = folder / "tests.yml"
    asked = {
        "rule_files": [str(path) for path in rules],
        "group_eval_order": [
            group["name"] for path in rules for group in yaml.safe_load(path.read_text())["groups"]
        ],  # else by chance
        "evaluation_interval": every,
        "tests": tests,
    }
    file.write_text(json.dumps(asked))
    command = [packages.require("promtool"), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def series(given):
    """Series as promtool has them."""
    return [{"series": name, "values": values} for name, values in given.items()]


def expected(rule, summary, labels):
    """What a rule that fires says."""
    annotations = {**rule["annotations"], "summary": summary}
    return {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": annotations}


def test_promtool_takes_the_configuration():
    """With the rules that it names."""
    check_prometheus()


def test_in_containers_it_is_the_same_at_other_addresses():
    """At the port that nginx keeps for the inside, and at the exporters' services; promtool takes it, too."""
    native, compose = (yaml.safe_load((FOLDER / name).read_text()) for name in ("prometheus.yml", "compose.yml"))
    jobs = {job["job_name"]: job for job in native["scrape_configs"]}
    (jobs["fanout"]["http_sd_configs"][0])["url"] = f"http://nginx:{edge.INSIDE_PORT}/ops/targets"
    for name, port in (("redis", 9121), ("nginx", 9113)):
        jobs[name]["static_configs"] = [{"targets": [f"{name}-exporter:{port}"]}]
    del jobs["worker"]["metrics_path"]
    jobs["worker"]["static_configs"] = [{"targets": ["worker:8082"]}]
    native["scrape_configs"] = [jobs[name] for name in ("fanout", "worker", "redis", "nginx")]
    assert compose == native
    services = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]
    assert services["nginx-exporter"]["environment"]["SCRAPE_URI"] == f"http://nginx:{edge.INSIDE_PORT}/ops/nginx"
    command = [packages.require("promtool"), "check", "config", str(FOLDER / "compose.yml")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_in_kubernetes_each_replica_of_a_pod_is_a_target():
    """At the port of its nginx, under the job's name that the rules ask for."""
    pod = next(yaml.safe_load_all((REPOSITORY / "k8s/60-web.yaml").read_text()))["spec"]["template"]
    monitor = next(yaml.safe_load_all((FOLDER / "pod-monitor.yaml").read_text()))
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert pod["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "fanout"
    names = [container["name"] for container in pod["spec"]["containers"]]
    endpoints = monitor["spec"]["podMetricsEndpoints"]
    assert [each["path"] for each in endpoints] == [f"/ops/replicas/{name}/metrics" for name in names]
    for name, each in zip(names, endpoints, strict=True):
        assert {relabel["replacement"] for relabel in each["relabelings"]} == {f"$1-{name}"}
    nginx = next(each for each in pod["spec"]["initContainers"] if each["name"] == "nginx")
    ports = {port["name"]: port["containerPort"] for port in nginx["ports"]}
    assert {ports[each["port"]] for each in endpoints} == {edge.INSIDE_PORT}


def test_the_worker_is_scraped_at_a_port_of_its_own_where_it_has_a_container():
    """In Kubernetes by its name, in Compose by its number; in both the worker is told that port."""
    services = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]
    jobs = {job["job_name"]: job for job in yaml.safe_load((FOLDER / "compose.yml").read_text())["scrape_configs"]}
    (target,) = jobs["worker"]["static_configs"][0]["targets"]
    assert target == f"worker:{after('--metrics-port', services['worker']['command'])}"
    assert set(services["worker"]["networks"]) & set(services["prometheus"]["networks"]) == {"worker"}
    pod = next(yaml.safe_load_all((REPOSITORY / "k8s/70-worker.yaml").read_text()))["spec"]["template"]
    (worker,) = pod["spec"]["containers"]
    (port,) = worker["ports"]
    assert str(port["containerPort"]) == after("--metrics-port", worker["args"])
    monitors = yaml.safe_load_all((FOLDER / "pod-monitor.yaml").read_text())
    monitor = next(each["spec"] for each in monitors if each["metadata"]["name"] == "worker")
    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint.get("path", "/metrics")) == (port["name"], "/metrics")
    assert {"targetLabel": "job", "replacement": "worker"} in endpoint["relabelings"]
    policies = yaml.safe_load_all((REPOSITORY / "k8s/11-network-policies.yaml").read_text())
    (door,) = next(each["spec"]["ingress"] for each in policies if each["metadata"]["name"] == "worker")
    assert door["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert [each["port"] for each in door["ports"]] == [port["name"]]


def after(option, words):
    """The value of an option in a command line."""
    return words[words.index(option) + 1]


def test_the_operator_is_given_the_same_rules():
    """By the command that the README tells to type; here kubectl is one that prints what it is told."""
    (command,) = re.findall(r"^    (for name in .*)$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    script = f"kubectl() {{ cat; echo; echo ---; }}; {command}"
    done = subprocess.run(["bash", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    given = [each for each in yaml.safe_load_all(done.stdout) if each]
    assert {each["kind"] for each in given} == {"PrometheusRule"}
    assert [each["spec"] for each in given] == [yaml.safe_load(file.read_text()) for file in RULE_FILES]


def test_prometheus_can_be_told_whom_to_tell(tmp_path):
    """By the lines of the README, put behind what is shipped."""
    (lines,) = re.findall(r"^    (alerting: .*)$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    file = tmp_path / "prometheus.yml"
    file.write_text((FOLDER / "prometheus.yml").read_text().replace("rules/*.yml", f"{FOLDER}/rules/*.yml") + lines)
    command = [packages.require("promtool"), "check", "config", str(file)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_every_rule_is_tested_below():
    """Each alert has a case, each record is one of an objective's."""
    assert {rule["alert"] for rule in ALERTS} == {case.alert for case in CASES} | set(BURNS)
    names = [record.partition(":")[2].partition(":")[0] for record in RECORDS]
    assert sorted(set(names)) == sorted(burn[0] for burn in BURNS.values())


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']} {rule['labels'].get('window', '')}".strip())
def test_an_alert_says_what_a_person_needs(rule):
    """How long it must hold, how urgent it is, what is wrong, why it matters, and where the way out stands."""
    assert rule["for"]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"deploy/runbooks/{rule['alert']}.md"
    assert (REPOSITORY / rule["annotations"]["runbook_url"]).is_file()


def test_every_runbook_of_an_alert_has_its_alert():
    """None is left of an alert that is gone."""
    names = {path.stem for path in RUNBOOKS.glob("[A-Z]*[a-z].md")}
    assert names == {rule["alert"] for rule in ALERTS}


def test_an_alert_fires_when_it_should(tmp_path):
    """With its words, and not before."""
    tests = [
        {
            "interval": "15s",
            "input_series": series(case.series),
            "alert_rule_test": [
                {"eval_time": case.quiet_at, "alertname": case.alert, "exp_alerts": []},
                {
                    "eval_time": case.fires_at,
                    "alertname": case.alert,
                    "exp_alerts": [expected(rule, case.summary, case.labels)],
                },
            ],
        }
        for case in CASES
        for rule in ALERTS
        if rule["alert"] == case.alert and "window" not in rule["labels"]
    ]
    assert promtool(tmp_path, [RULE_FILES[0]], *tests) == ""


HEALTHY = {
    f"up{{{WEB1}}}": "1x400",
    f'fanout_replica_state{{{WEB1},state="ready"}}': "1x400",
    f'fanout_replica_state{{{WEB1},state="starting"}}': "0x400",
    f'fanout_replica_state{{{WEB1},state="degraded"}}': "0x400",
    f'fanout_check_ok{{{WEB1},check="redis"}}': "1x400",
    f"process_start_time_seconds{{{WEB1}}}": "100x400",
    f"process_resident_memory_bytes{{{WEB1}}}": f"{100 * MIB}x400",
    f'fanout_build_info{{{WEB1},version="1.0"}}': "1x400",
    f'fanout_handshakes_total{{{WEB1},result="accepted"}}': "0+100x400",
    f"fanout_publications_total{{{WEB1}}}": "0+100x400",
    f"fanout_publications_unavailable_total{{{WEB1}}}": "0x400",
    f"fanout_slow_consumers_total{{{WEB1}}}": "0x400",
    f'fanout_resets_total{{{WEB1},reason="lost"}}': "0x400",
    'up{job="worker"}': "1x400",
    'fanout_task_ok{job="worker",task="archive"}': "1x400",
    'fanout_task_lost_total{job="worker",task="archive"}': "0x400",
    'up{job="redis"}': "1x400",
    'up{job="nginx"}': "1x400",
    'redis_up{job="redis"}': "1x400",
    'probe_ssl_earliest_cert_expiry{job="certificate"}': f"{90 * 24 * 3600}x400",
    'redis_aof_last_write_status{job="redis"}': "1x400",
    'redis_memory_used_bytes{job="redis"}': "10x400",
    'redis_memory_max_bytes{job="redis"}': "0x400",
}
"""A fleet that works, with a Redis without a limit: no alert's business."""


def test_a_healthy_fleet_fires_nothing(tmp_path):
    """An hour and more of usual traffic."""
    test = {
        "interval": "15s",
        "input_series": series(HEALTHY),
        "alert_rule_test": [
            {"eval_time": "90m", "alertname": name, "exp_alerts": []}
            for name in sorted({rule["alert"] for rule in ALERTS})
        ],
    }
    assert promtool(tmp_path, RULE_FILES, test, every="1m") == ""


@pytest.mark.parametrize("alert", BURNS)
def test_records_are_the_share_of_what_went_wrong(tmp_path, alert):
    """Over each of their windows: here a twentieth."""
    name, _, _, good, bad = BURNS[alert]
    assert sorted(record for record in RECORDS if f":{name}:" in record) == sorted(
        f"fanout:{name}:ratio_rate{window}" for window in WINDOWS
    )
    well, wrong = (950, 1000) if "latency" in good else (950, 50)
    minutes = 4 * 24 * 60
    went_wrong = f"0.05x{minutes}" if name == "unreachable" else f"0+{wrong}x{minutes}"
    test = {
        "interval": "1m",
        "input_series": series({good % WEB1: f"0+{well}x{minutes}", bad % WEB1: went_wrong}),
        "promql_expr_test": [
            {
                "expr": f"round(fanout:{name}:ratio_rate{window}, 0.0001)",
                "eval_time": "4d",
                "exp_samples": [{"labels": "{}", "value": 0.05}],
            }
            for window in WINDOWS
        ],
    }
    assert promtool(tmp_path, [RULE_FILES[1]], test, every="1d") == ""


@pytest.mark.parametrize(("factor", "firing"), [(0.9, 0), (2.0, 1), (4.0, 2), (10.0, 3), (20.0, 4)])
@pytest.mark.slow
def test_a_budget_burns_at_the_speeds_that_matter(tmp_path, factor, firing):
    """The faster it burns, the more of the four rules fire; below the budget none does."""
    tests = [burning(alert, factor, firing) for alert in BURNS]
    assert promtool(tmp_path, [only_burn_rates(tmp_path)], *tests, every="1m") == ""


@pytest.mark.slow
def test_one_window_alone_fires_nothing(tmp_path):
    """What is over already, and what has only begun."""
    tests = [
        burning(alert, 20.0, 0, windows=windows)
        for alert in BURNS
        for windows in (["1h", "1d", "3d"], ["5m", "2h", "6h"])
    ]
    assert promtool(tmp_path, [only_burn_rates(tmp_path)], *tests, every="1m") == ""


def test_a_handful_of_failures_burns_no_budget(tmp_path):
    """Where nearly nobody asks, one failure would be a large share."""
    nine = {"FanoutUnreachable": "0x291 1x8"}
    tests = [
        burning(alert, 20.0, 0, failures=failures)
        for alert in BURNS
        for failures in ("0x300", nine.get(alert, "0x297 1 1 9"))
    ]
    assert promtool(tmp_path, [only_burn_rates(tmp_path)], *tests, every="1m") == ""


@pytest.mark.parametrize(
    ("ups", "told"),
    [
        (["1x40", "0x40"], 0),  # who comes is passed on
        (["1x4 0x36", "0x40"], 1),
        (["1x4 stale", "1x4 stale"], 1),  # all have left, and none is asked any more
        (["stale"], None),  # nor ever was
    ],
)
def test_a_fleet_is_reachable_as_long_as_one_replica_is(tmp_path, ups, told):
    """Through nginx, which each is asked through."""
    test = {
        "interval": "15s",
        "input_series": series({f"up{{{who}}}": values for who, values in zip((WEB1, WEB2), ups, strict=False)}),
        "promql_expr_test": [
            {
                "expr": "fanout:unreachable",
                "eval_time": "8m",
                "exp_samples": [] if told is None else [{"labels": "fanout:unreachable", "value": told}],
            }
        ],
    }
    assert promtool(tmp_path, [RULE_FILES[1]], test) == ""


@pytest.mark.slow
def test_short_outages_that_come_again_burn_the_budget_of_time(tmp_path):
    """None of them is long enough for the alert that waits for a minute."""
    again = " ".join(["1x16 0x2"] * 12)  # for three samples of twenty
    told = "No replica could be reached through nginx for 15% of the time."
    by_window = {rule["labels"].get("window"): rule for rule in ALERTS if rule["alert"] == "FanoutUnreachable"}
    test = {
        "interval": "15s",
        "input_series": series({f"up{{{WEB1}}}": again}),
        "alert_rule_test": [
            {
                "eval_time": "59m45s",
                "alertname": "FanoutUnreachable",
                "exp_alerts": [expected(by_window[window], told, {}) for window in ("1h", "6h", "1d")],
            }
        ],
    }
    assert promtool(tmp_path, RULE_FILES, test) == ""


def burning(alert, factor, firing, *, windows=WINDOWS, failures="0+1x300"):
    """Five hours with that share in the records of some windows, and how many of the four rules are to fire."""
    name, budget, summary, good, bad = BURNS[alert]
    share = factor * budget
    slowest = sorted(SPEEDS, key=SPEEDS.__getitem__)
    found = {rule["labels"].get("window"): rule for rule in ALERTS if rule["alert"] == alert}
    rules = [found[window] for window in slowest]
    told = summary.format(f"{share * 100:.4g}%")
    recorded = {f"fanout:{name}:ratio_rate{window}": f"{share if window in windows else 0}x300" for window in WINDOWS}
    return {
        "interval": "1m",
        # Of deliveries all are counted, and those in time: here none.
        "input_series": series(
            {**recorded, bad % WEB1: failures, **({good % WEB1: "0x300"} if "_bucket" in good else {})}
        ),
        "alert_rule_test": [
            {
                "eval_time": "5h",
                "alertname": alert,
                "exp_alerts": [expected(rule, told, {}) for rule in rules[:firing]],
            }
        ],
    }


def only_burn_rates(folder):
    """The file with the group that looks at records, without the records themselves."""
    groups = yaml.safe_load(RULE_FILES[1].read_text())["groups"]
    file = folder / "burn-rates.yml"
    file.write_text(json.dumps({"groups": [group for group in groups if group["name"] == "fanout-burn-rates"]}))
    return file
