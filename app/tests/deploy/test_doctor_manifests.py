"""The traps that `make doctor` finds in Compose files and manifests."""

import pytest
import yaml

from fleet.doctor import manifests
from fleet.errors import UsageError
from fleet.options import REPOSITORY

COMPOSE = """
services:
  web: {command: python -m server --socket-dir /run/fanout, stop_grace_period: 40s}
  redis: {command: [redis-server, --maxmemory-policy, noeviction, --appendonly, "yes"]}
"""
POD = """
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 60
      containers:
        - name: web-1
          command: [python, -m, server]
          livenessProbe: {exec: {command: [python, -m, ops.probe, --alive]}, periodSeconds: 5}
          readinessProbe: {exec: {command: [python, -m, ops.probe]}}
          lifecycle: {preStop: {exec: {command: [sleep, "5"]}}}
---
kind: Ingress
metadata: {name: web, annotations: {example.org/name: x}}
"""


def wrong(text):
    """What is found in a file's text."""
    return [finding.what for finding in manifests.findings(list(yaml.safe_load_all(text)))]


def test_our_own_compose_file_and_manifests_have_nothing():
    """Nor has a good one of somebody else."""
    for path in (REPOSITORY / "compose.yaml", REPOSITORY / "k8s"):
        assert list(manifests.of_path(path)) == []
    assert wrong(COMPOSE) == wrong(POD) == []


@pytest.mark.parametrize(
    ("text", "good", "bad", "what"),
    [
        (COMPOSE, ", stop_grace_period: 40s", "", "The service web has 10 s to end."),
        (COMPOSE, "40s", "20s", "The service web has 20 s to end."),
        (COMPOSE, "python -m server --socket-dir /run/fanout", "daphne -u /run/x.sock app:app",
         "The service web starts Daphne with -u."),
        (COMPOSE, "python -m server --socket-dir /run/fanout", "sh -c 'exec daphne --unix-socket=/x app:app'",
         "The service web starts Daphne with -u."),
        (COMPOSE, "python -m server --socket-dir /run/fanout", "daphne --proxy-headers app:app",
         "The service web starts Daphne with --proxy-headers."),
        (COMPOSE, "python -m server --socket-dir /run/fanout", "/venv/bin/daphne -p 8000 app:app",
         "The service web runs Daphne as it is."),
        (COMPOSE, "python -m server --socket-dir /run/fanout", "python manage.py runworker mail",
         "The service web runs Channels' runworker."),
        (COMPOSE, "noeviction", "allkeys-lru", "The service redis starts Redis with --maxmemory-policy allkeys-lru."),
        (COMPOSE, '"yes"', '"no"', "The service redis starts Redis with --appendonly no."),
        (COMPOSE, ', --appendonly, "yes"', "", "The service redis starts Redis without --appendonly."),
        (COMPOSE, '{command: [redis-server, --maxmemory-policy, noeviction, --appendonly, "yes"]}',
         "{image: redis:7.2-bookworm}", "The service redis starts Redis without --appendonly."),
        (COMPOSE, "command: [redis-server, --maxmemory-policy, noeviction",
         "image: redis, command: [--maxmemory-policy, volatile-lru",
         "The service redis starts Redis with --maxmemory-policy volatile-lru."),
        (POD, "terminationGracePeriodSeconds: 60", "hostname: x",
         "The container web-1 of Deployment/web has 30 s to end."),
        (POD, "preStop", "postStart", "The container web-1 of Deployment/web has no preStop."),
        (POD, ", --alive", "",
         "The container web-1 of Deployment/web is asked the same for liveness as for readiness."),
        (POD, "example.org/name", "nginx.ingress.kubernetes.io/affinity",
         "Ingress/web has annotations of the community's ingress-nginx."),
    ],
)  # fmt: skip
def test_a_trap_of_a_manifest_is_found(text, good, bad, what):
    """Each named by who has it, and nothing else of that kind."""
    assert good in text
    assert what in wrong(text.replace(good, bad))


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: x, db: null, api: {command: [1], stop_grace_period: $GRACE}}",
        "{kind: Deployment, metadata: null, spec: {template: null}}",
        "{kind: Deployment, spec: {template: {spec: {containers: null, terminationGracePeriodSeconds: null}}}}",
        "{kind: CronJob, metadata: {name: x}, spec: {jobTemplate: null}}",
        "{kind: Pod, spec: {containers: [null, {name: x, lifecycle: null}]}}",
    ],
)
def test_what_is_left_empty_is_no_trap(text):
    """Nor does what an engine would refuse end the look."""
    assert wrong(text) == []


def test_a_list_is_looked_through():
    """As `kubectl get --output yaml` writes one."""
    pod, ingress = yaml.safe_load_all(POD.replace("preStop", "postStart").replace("example.org/", manifests.RETIRED))
    told = [each.what for each in manifests.findings([{"kind": "List", "items": [pod, ingress]}])]
    assert told == [
        "The container web-1 of Deployment/web has no preStop.",
        "Ingress/web has annotations of the community's ingress-nginx.",
    ]


def test_where_nothing_is_nothing_passes_for_well(tmp_path):
    """Not a folder whose manifests lie deeper, nor a file of something else."""
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper/web.yaml").write_text(POD)
    with pytest.raises(UsageError, match="folders in it are not looked into: name them"):
        list(manifests.of_path(tmp_path))
    (tmp_path / "values.yaml").write_text("replicas: 3")
    with pytest.raises(UsageError, match=r"There is no Compose file and no manifest in .*values\.yaml\."):
        list(manifests.of_path(tmp_path / "values.yaml"))


def test_a_kustomization_among_manifests_is_found(tmp_path):
    """`kubectl apply -f` would stumble over it."""
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization")
    (tmp_path / "web.yaml").write_text(POD)
    (finding,) = manifests.of_path(tmp_path)
    assert finding.what == f"{tmp_path}/kustomization.yaml lies among the manifests."


def test_what_is_no_yaml_is_told(tmp_path):
    """By a sentence with the file's name."""
    path = tmp_path / "broken.yaml"
    path.write_text("a: [")
    with pytest.raises(UsageError, match=r"broken\.yaml is no YAML that can be read"):
        list(manifests.of_path(path))
