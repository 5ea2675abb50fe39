"""Pods as the cluster describes them, and the table of them."""

import pytest

from fleet.kubernetes import illness, pods, status

READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-26T01:02:03Z"}


def said(name="web-a", kind="web", conditions=(READY,), containers=(), **more):
    """What `kubectl get pod -o json` says."""
    return {
        "metadata": {"name": name, "uid": name, "labels": {pods.NAME: kind}, **more},
        "spec": {"initContainers": [{"name": "nginx", "restartPolicy": "Always"}, {"name": "once"}]},
        "status": {
            "phase": "Running",
            "startTime": "2026-11-26T01:02:03Z",
            "conditions": list(conditions),
            "initContainerStatuses": [{"name": "nginx", "ready": True}, {"name": "once", "ready": True}],
            "containerStatuses": list(containers),
        },
    }


def waiting(reason, message=""):
    return {"name": "web-1", "state": {"waiting": {"reason": reason, "message": message}}}


def test_sidecars_are_containers_of_the_pod():
    """An init container that ends is none."""
    pod = pods.parse(said(containers=[{"name": "web-1", "ready": True, "restartCount": 2}]))
    assert [container.name for container in pod.containers] == ["nginx", "web-1"]
    assert pod.serves
    assert pod.restarts == 2
    assert pod.ill() == ""
    assert pod.ready_since == "2026-11-26T01:02:03Z"


def test_a_pod_on_its_way_out_does_not_serve():
    """Though its readiness may still be green."""
    pod = pods.parse(said(deletionTimestamp="2026-11-26T01:02:03Z"))
    assert pod.ready
    assert not pod.serves
    assert pod.ill() == "ending"


@pytest.mark.parametrize(
    ("pod", "sentence"),
    [
        (said(containers=[waiting("ErrImagePull", "no such host")]), "`make images` and `make k8s-load`"),
        (said(containers=[waiting("CrashLoopBackOff")]), "logs --namespace fanout web-a --container web-1 --previous"),
        (
            said(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient cpu"}]),
            "No node takes web-a: 0/1 nodes: Insufficient cpu",
        ),
        (said(), ""),
    ],
)
def test_an_ill_pod_is_told_with_its_remedy(pod, sentence):
    """Nothing is said of one that is well."""
    found = illness.of_pod(pods.parse(pod))
    assert sentence in found
    assert bool(sentence) == bool(found)


def test_a_quota_that_is_too_small_is_named():
    """With the file that says it."""
    condition = {"type": "ReplicaFailure", "status": "True", "message": 'pods "a" is forbidden: exceeded quota: fanout'}
    workload = {"metadata": {"name": "web"}, "status": {"conditions": [condition]}}
    assert illness.of_workload(workload).startswith("The quota is too small for web: raise it in k8s/02-quota.yaml.")


def test_the_table_has_every_replica_and_every_server():
    """Replicas under their slots, with what they say; a replica that says nothing is silent."""
    web = pods.parse(said(containers=[{"name": "web-1", "ready": True}, {"name": "web-2", "ready": True}]))
    ready = {"status": "ready", "connections": 7, "checks": {"redis": "ok"}}
    replicas = [pods.Replica(web, "web-1", ready), pods.Replica(web, "web-2", {})]
    assert [replica.name for replica in replicas] == ["web-a-web-1", "web-a-web-2"]
    redis = pods.parse(said("redis-0", "redis"))
    rows = status.table([web], replicas, [redis], {("web-a", "web-1"): 81 << 20})
    assert [(row.name, row.pid, row.connections, row.memory, row.ready) for row in rows] == [
        ("web-1", "web-a", 7, 81 << 20, "yes"),
        ("web-2", "web-a", None, None, "silent"),
        ("nginx", "web-a", None, None, "yes"),
        ("nginx", "redis-0", None, None, "yes"),
    ]


def test_a_pod_that_no_node_takes_has_a_row():
    """With the reason; it has no containers yet."""
    pending = said("redis-0", "redis", [{"type": "PodScheduled", "status": "False", "message": "no volume"}])
    pending["status"]["initContainerStatuses"] = []
    rows = status.table([], [], [pods.parse(pending)], {})
    assert [(row.name, row.ready) for row in rows] == [("redis", "no node takes it: no volume")]


@pytest.mark.parametrize(("text", "size"), [("81Mi", 81 << 20), ("1Gi", 1 << 30), ("12Ki", 12 << 10), ("?", 0)])
def test_sizes(text, size):
    """As `kubectl top` writes them."""
    assert status.size(text) == size
