"""What is done to the fleet, in this order; each says what it saw, or raises FleetError."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.errors import FleetError
from fleet.kubernetes import manifests, pods
from fleet.kubernetes.trial import successor

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet.kubernetes.pods import Pod
    from fleet.kubernetes.trial.fleet import Fleet

MOST_PODS = 3
"""Of the item that scales up: a machine of two cores can hold that many."""
EAGER = {
    "maxReplicas": MOST_PODS,
    "behavior": {
        "scaleUp": {"stabilizationWindowSeconds": 0},
        "scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]},
    },
}
"""An autoscaler that does within seconds what it otherwise takes its time for."""
BUSY, IDLE = "10m", "4"
"""Cores of a pod: a few clients take more than the first, and nobody takes the second."""


@dataclass(frozen=True)
class Item:
    """One thing that happens to fleets."""

    name: str
    title: str
    do: Callable[[Fleet], str]
    proof: bool = True
    """Whether publications flow meanwhile."""


def bring_up(fleet: Fleet) -> str:
    """Apply k8s/ to a cluster without it."""
    fleet.apply()
    fleet.heal(2)
    fleet.until("the migration", lambda: fleet.job(manifests.job("migrate")).get("succeeded") == 1)
    empty = [name for name, data in fleet.secrets().items() if not data]
    if empty:
        raise FleetError(f"The secrets {', '.join(empty)} are empty.")
    made = len(fleet.secrets())
    return f"{len(fleet.web())} web pods ready, the migration done once, {made} secrets made in the cluster"


def broadcast(fleet: Fleet) -> str:
    """Do nothing: publications flow from every replica to every replica."""
    names = [replica.name for replica in pods.replicas(fleet.kubectl, fleet.web())]
    if len(fleet.web()) < 2 or len(names) < 4 or len(set(names)) != len(names):  # noqa: PLR2004 - what the issue asks for
        raise FleetError(f"These are not 2 pods x 2 replicas: {', '.join(names)}.")
    return f"{len(names)} replicas in {len(fleet.web())} pods"


def apply_again(fleet: Fleet) -> str:
    """Apply k8s/ once more: nothing may change, and the secrets stay."""
    before, uids = fleet.described(), {pod.uid for pod in fleet.all()}
    fleet.apply()
    done = fleet.kubectl.done("diff", "-f", str(manifests.FOLDER))
    if done.returncode:
        raise FleetError(f"kubectl diff is not empty: {(done.stdout or done.stderr)[:500]}")
    after = fleet.described()
    if changed := [name for name, body in after.items() if before.get(name) != body]:
        raise FleetError(f"The second apply changes {', '.join(changed)}.")
    if {pod.uid for pod in fleet.all()} != uids:
        raise FleetError("The second apply replaced a pod.")
    return f"{len(after)} objects are what they were, secrets and pods among them; kubectl diff is empty"


def own_secret(fleet: Fleet) -> str:
    """Put a secret of one's own in place, run the Job that makes them, and apply: it stays."""
    own, job = "bXktb3duLXNlY3JldC1rZXktbXktb3duLXNlY3JldC1rZXktMTIzNA==", manifests.job("secrets")
    before = fleet.secrets()["secret-key"]
    try:
        for data in ({"secret_key": own}, {"secret_key": ""}):
            fleet.kubectl.call(
                "patch", "secret", "secret-key", "--type", "merge", "--patch", json.dumps({"data": data})
            )
            fleet.kubectl.call("delete", "job", job)
            fleet.apply()
            fleet.until("the Job that makes secrets", lambda: fleet.job(job).get("succeeded") == 1)
            now = fleet.secrets()["secret-key"]["secret_key"]
            if (now == own) != (data["secret_key"] == own) or not now:
                raise FleetError("The Job does not leave a user's secret alone, or does not fill an empty one.")
    finally:
        fleet.kubectl.call("patch", "secret", "secret-key", "--type", "merge", "--patch", json.dumps({"data": before}))
    return "a user's own key stayed, an emptied one was filled"


def restart(fleet: Fleet) -> str:
    """Restart every web pod, one after the other."""
    before = {pod.uid for pod in fleet.web()}
    fleet.kubectl.call("rollout", "restart", "deployment/web")
    fleet.rolled_out()
    if before & {pod.uid for pod in fleet.web()}:
        raise FleetError("Not every pod was replaced.")
    return f"{len(before)} pods replaced"


def delete_pod(fleet: Fleet) -> str:
    """Delete a web pod."""
    victim = fleet.web()[0]
    fleet.kubectl.call("delete", "pod", victim.name, "--wait=false")
    _gone(fleet, victim)
    fleet.heal()
    return f"{victim.name} drained and replaced"


def _gone(fleet: Fleet, victim: Pod) -> None:
    fleet.until(f"{victim.name} gone", lambda: victim.uid not in {pod.uid for pod in pods.listed(fleet.kubectl)})


def crash(fleet: Fleet) -> str:
    """End a replica at once, its clients cut: its container starts again, the pod stays."""
    victim = fleet.web()[0]
    # Two signals: the first drains, the second cuts that short. SIGKILL does not reach a first process from inside.
    ending = "import os, signal; os.kill(1, signal.SIGTERM); os.kill(1, signal.SIGINT)"
    fleet.kubectl.call("exec", victim.name, "--container", "web-1", "--", "python", "-c", ending)
    fleet.until(
        "a restart of web-1",
        lambda: any(pod.uid == victim.uid and pod.restarts > victim.restarts for pod in fleet.web()),
    )
    fleet.heal()
    return f"web-1 of {victim.name} ended at once and was started again in its pod, beside web-2"


def evict(fleet: Fleet) -> str:
    """Evict the web pods one after the other, as the drain of a node does."""
    victims, refused = fleet.web(), 0
    for victim in victims:
        while not fleet.evict(victim.name):
            refused += 1
            fleet.heal()
        _gone(fleet, victim)
    fleet.heal()
    return f"{len(victims)} pods evicted in turn; the budget refused {refused} times, until a successor was ready"


def kill_redis(fleet: Fleet) -> str:
    """Kill Redis' pod: no web pod restarts or leaves service for that."""
    return _kill(fleet, pods.REDIS)


def kill_postgres(fleet: Fleet) -> str:
    """Kill PostgreSQL's pod, likewise."""
    return _kill(fleet, pods.POSTGRES)


def _kill(fleet: Fleet, kind: str) -> str:
    before, victim = {(pod.uid, pod.restarts) for pod in fleet.web()}, fleet.server(kind)
    fleet.kubectl.call("delete", "pod", victim.name, "--now")
    fleet.until(
        f"a new pod of {kind}",
        lambda: any(pod.uid != victim.uid and pod.serves for pod in fleet.all() if pod.kind == kind),
    )
    if {(pod.uid, pod.restarts) for pod in fleet.web()} != before or not all(pod.serves for pod in fleet.web()):
        raise FleetError(f"A web pod restarted or left service because {kind} was away.")
    fleet.until(
        "every replica well again", lambda: all(each.is_ready for each in pods.replicas(fleet.kubectl, fleet.web()))
    )
    return f"{victim.name} is back; no web pod restarted or left service"


def scale(fleet: Fleet) -> str:
    """Let the autoscaler add a pod under load, and take it away when there is none."""
    try:
        _target(fleet, BUSY)
        fleet.until(f"{MOST_PODS} web pods", lambda: fleet.is_whole(MOST_PODS))
        _target(fleet, IDLE)
        fleet.until("2 web pods", lambda: fleet.is_whole(2))
    finally:
        fleet.apply()
    return f"2 pods, {MOST_PODS}, and 2 again"


def _target(fleet: Fleet, cores: str) -> None:
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": cores}},
    }
    patch = {"spec": {**EAGER, "metrics": [metric]}}
    fleet.kubectl.call("patch", "horizontalpodautoscaler", "web", "--type", "merge", "--patch", json.dumps(patch))


def upgrade(fleet: Fleet) -> str:
    """Apply the next version: its migration runs once, new replicas serve behind it, old ones meanwhile."""
    other, data = successor.version(), fleet.secrets()
    servers = _servers(fleet)
    fleet.apply(other)
    fleet.rolled_out()
    migration = fleet.job(manifests.job("migrate", other))
    if migration.get("succeeded") != 1:
        raise FleetError(f"The migration of {other} did not run once: {migration}")
    if _image(fleet) != f"fanout-app:{other}":
        raise FleetError(f"The replicas do not run {other}.")
    # The database's time: the Job is called complete seconds after its container has ended.
    done, ready = _applied(fleet), min(pod.ready_since for pod in fleet.web())
    if ready < done:
        raise FleetError(f"A replica of {other} was in service at {ready}, before its migration was done at {done}.")
    if data != fleet.secrets() or servers != _servers(fleet):
        raise FleetError("The upgrade changed a secret, or restarted Redis or PostgreSQL.")
    return f"to {other}: its migration ran once, before a new replica served; Redis, PostgreSQL and the secrets stayed"


def _servers(fleet: Fleet) -> set[str]:
    """Return the identities of the pods that no version of ours replaces."""
    return {pod.uid for pod in fleet.all() if pod.kind in (pods.REDIS, pods.POSTGRES)}


def _applied(fleet: Fleet) -> str:
    """Return when the database got the next version's own migration, in whole seconds as the cluster writes times."""
    app, _, name = successor.MIGRATION.partition(".")
    code = (
        "from django.db.migrations.recorder import MigrationRecorder as R; "
        f"print(R.Migration.objects.get(app={app!r}, name={name!r}).applied.strftime('%Y-%m-%dT%H:%M:%SZ'))"
    )
    words = ("--container", "web-1", "--", "python", "manage.py", "shell", "--verbosity", "0", "--command", code)
    return fleet.kubectl.call("exec", fleet.web()[0].name, *words).strip()


def roll_back(fleet: Fleet) -> str:
    """Go back to the version before, then apply it again."""
    fleet.kubectl.call("rollout", "undo", "deployment/web")
    fleet.rolled_out()
    if _image(fleet) != f"fanout-app:{manifests.version()}":
        raise FleetError("The replicas do not run the version before.")
    fleet.apply()
    fleet.rolled_out()
    fleet.kubectl.call("delete", *(f"job/{manifests.job(name, successor.version())}" for name in manifests.JOBS))
    return f"back to {manifests.version()} on the newer schema, and k8s/ agrees"


def _image(fleet: Fleet) -> str:
    return str(fleet.kubectl.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"])


ITEMS = (
    Item("apply", "kubectl apply -f k8s on a cluster without it", bring_up, proof=False),
    Item("broadcast", "from every replica to every replica", broadcast),
    Item("again", "kubectl apply -f k8s a second time", apply_again, proof=False),
    Item("secrets", "a user's own secret", own_secret, proof=False),
    Item("restart", "kubectl rollout restart", restart),
    Item("delete", "kubectl delete pod, a web pod", delete_pod),
    Item("crash", "a replica that crashes", crash),
    Item("evict", "eviction of all web pods, as a node's drain does it", evict),
    Item("redis", "Redis' pod killed", kill_redis),
    Item("postgres", "PostgreSQL's pod killed", kill_postgres),
    Item("scale", "the autoscaler, up and down", scale),
    Item("upgrade", "another version", upgrade),
    Item("rollback", "kubectl rollout undo", roll_back),
)
