"""What `make check` asks of k8s/: it is fulfilled, and each check sees what it is for."""

import pytest

from config.env import VARIABLES, read
from fleet.kubernetes import edge, manifests
from fleet.kubernetes.static import agreement, check, schemas, security, tree, wiring
from server import ending, slot


def texts(**changes):
    """The files, with `old` replaced by `new` in one."""
    file, old, new = changes.get("file"), changes.get("old"), changes.get("new")
    for path in (*manifests.files(), manifests.LOAD):
        text = path.read_text()
        if path.name == file:
            assert old in text, f"{file} has no {old!r}"
            text = text.replace(old, new, changes.get("count", -1))
        yield path.name, text


def test_the_manifests_are_as_they_should_be():
    """Schemas, security, wiring, and agreement with the rest of the repository."""
    assert check.problems() == []


@pytest.mark.parametrize(
    ("part", "file", "old", "new", "said"),
    [
        (schemas, "60-web.yaml", "minReadySeconds: 3", "minReadySecond: 3", "minReadySecond"),
        (schemas, "61-web-service.yaml", "port: 80,", "port: eighty,", "eighty"),
        (security, "31-redis.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"),
        (security, "60-web.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "may write to its"),
        (security, "40-postgres.yaml", "{drop: [ALL]}", "{add: [NET_ADMIN], drop: [ALL]}", "keeps capabilities"),
        (security, "50-migrate.yaml", "{type: RuntimeDefault}", "{type: Unconfined}", "seccomp"),
        (security, "50-migrate.yaml", "automountServiceAccountToken: false", "", "it gets a token"),
        (security, "60-web.yaml", "enableServiceLinks: false", "", "a variable for each Service"),
        (security, "60-web.yaml", "memory: 512Mi, ", "", "has no limit of memory"),
        (security, "60-web.yaml", "serviceAccountName: web", "hostNetwork: true", "shared with the node"),
        (security, "60-web.yaml", "emptyDir: {sizeLimit: 16Mi}", "hostPath: {path: /}", "of a kind that restricted"),
        (wiring, "61-web-service.yaml", "name: web\n", "name: redis\n", "2 objects of the kind Service named redis"),
        (wiring, "61-web-service.yaml", "namespace: fanout", "namespace: other", "its namespace is not fanout"),
        (wiring, "60-web.yaml", "matchLabels: {app.kubernetes.io/name: web}", "matchLabels: {a: b}", "its own pods"),
        (wiring, "32-redis-service.yaml", "selector: {app.kubernetes.io/name: redis}", "selector: {a: b}", "no pod"),
        (wiring, "61-web-service.yaml", "targetPort: http", "targetPort: 8080", "has no port named 8080"),
        (wiring, "60-web.yaml", "port: http}", "port: htpt}", "asks the port htpt"),
        (wiring, "62-web-ingress.yaml", "{name: http}", "{name: https}", "with a port named"),
        (wiring, "11-network-policies.yaml", "{port: redis,", "{port: 6379,", "has a port named 6379"),
        (wiring, "11-network-policies.yaml", "{port: 8080,", "{port: http,", "has a port named http"),
        (wiring, "11-network-policies.yaml", "values: [web, worker, migrate]", "values: [wbe]", "selects no pod"),
        (wiring, "63-web-autoscaler.yaml", "name: web}\n  #", "name: wbe}\n  #", "there is no Deployment wbe"),
        (wiring, "60-web.yaml", "  # No `replicas`", "  replicas: 2\n  # No `replicas`", "each apply would undo"),
        (wiring, "60-web.yaml", "serviceAccountName: web", "serviceAccountName: wbe", "no ServiceAccount wbe"),
        (wiring, "60-web.yaml", "priorityClassName: fanout-web", "priorityClassName: a", "no PriorityClass a"),
        (wiring, "60-web.yaml", "{name: trusted-proxies}", "{name: trusted}", "there is no ConfigMap trusted"),
        (wiring, "60-web.yaml", "{name: environment}", "{name: env}", "there is no ConfigMap env"),
        (wiring, "60-web.yaml", "- {name: nginx, mountPath", "- {name: ngnix, mountPath", "which is no volume"),
        (agreement, "60-web.yaml", "fanout-edge:", "fanout-edge:9.", "is not of the version"),
        (agreement, "31-redis.yaml", "redis:7.2-bookworm", "redis:6", "none of compose.yaml's"),
        (agreement, "50-migrate.yaml", "name: migrate-", "name: migrate-9", "an upgrade would not run it"),
        (agreement, "20-environment.yaml", "FANOUT_REDIS_URLS", "FANOUT_REDIS_URL", "FANOUT_REDIS_URL is no variable"),
        (agreement, "30-redis-configuration.yaml", "appendonly yes", "appendonly no", "is not deploy/redis.conf"),
        (agreement, "23-secrets-job.yaml", "redis-password/password=32", "redis-password/pass=32", "nobody makes pass"),
        (agreement, "22-secrets-rights.yaml", "[secret-key, ", "[", "are not the secrets that the Job makes"),
        (agreement, "21-secrets.yaml", "type: Opaque", "stringData: {password: a}", "something secret in the repo"),
        (agreement, "60-web.yaml", "- name: web-2", "- name: web-3", "nginx knows web-1 to web-2"),
        (agreement, "60-web.yaml", "--name, web-2", "--name, web-1", "differ in more than their names"),
        (agreement, "60-web.yaml", "GracePeriodSeconds: 60", "GracePeriodSeconds: 30", "of grace"),
        (agreement, "60-web.yaml", 'command: [sleep, "5"]', 'command: [sleep, "1"]', "before it drains"),
        (agreement, "02-quota.yaml", 'requests.cpu: "4"', 'requests.cpu: "2"', "requests.cpu is 2"),
        (agreement, "02-quota.yaml", 'count/pods: "40"', 'count/pods: "4"', "count/pods is 4"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_seen(part, file, old, new, said):
    """One change in one file, one sentence that names it."""
    found = list(part.problems(tree.parse(texts(file=file, old=old, new=new))))
    assert any(said in problem for problem in found), found


def test_the_variables_are_read_as_they_are():
    """Without importing the application, whose environment is another one."""
    assert agreement.known() == VARIABLES


def test_the_environment_is_accepted(tmp_path):
    """What the pods get is what the application takes, with the secrets in their files."""
    data = next(thing.body["data"] for thing in tree.read().of("ConfigMap") if thing.name == "environment")
    given = dict(data)
    for name in data:
        if name.endswith("_FILE"):
            given[name] = str(tmp_path / name)
            (tmp_path / name).write_text("x" * 50)
    found = read(given)
    assert found.production
    assert found.redis_hosts == [f"redis://app:{'x' * 50}@redis:6379/0"]
    assert "web.fanout" in found.allowed_hosts


def test_the_times_of_a_pods_end_agree():
    """The fleet's supervisor waits longer than a replica's drain may take, and so does the pod."""
    assert agreement.DRAIN_SECONDS > ending.DRAIN_LIMIT


def test_a_pods_sockets_fit():
    """Places of nginx are the replicas' sockets."""
    assert f"/run/fanout/web-{edge.REPLICAS}{slot.SUFFIX}" in str(tree.read().things)


@pytest.mark.parametrize(("text", "number"), [("150m", 0.15), ("2", 2), ("64Mi", 64 << 20), ("2Gi", 2 << 30)])
def test_quantities(text, number):
    """As Kubernetes writes them."""
    assert agreement.amount(text) == pytest.approx(number)
