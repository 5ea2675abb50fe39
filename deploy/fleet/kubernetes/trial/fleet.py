"""The fleet under trial: what is done to it, and how one sees that it has healed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fleet import waiting
from fleet.errors import FleetError
from fleet.kubernetes import illness, manifests, pods

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet.kubernetes.kubectl import Kubectl
    from fleet.kubernetes.pods import Pod

KINDS = (pods.WEB, pods.WORKER, pods.REDIS, pods.POSTGRES)
"""Of which there is a pod at all times."""
LEAST_PODS = 2
"""minReplicas of k8s/63-web-autoscaler.yaml."""
HEAL_SECONDS = 300.0
GONE_SECONDS = 240.0
POLL_SECONDS = 1.0
"""Asking a cluster costs a tenth of a second of a core."""


class Fleet:
    """What runs in the namespace."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl

    def apply(self, version: str | None = None) -> str:
        """Apply k8s/ as it is, or as another version has it; return what kubectl says."""
        if version is None:
            return self.kubectl.call("apply", "-f", str(manifests.FOLDER))
        return self.kubectl.call("apply", "-f", "-", given=manifests.text(version))

    def remove(self) -> None:
        """Delete everything, the data too, and wait until it is gone."""
        self.kubectl.call("delete", "-f", str(manifests.FOLDER), "--ignore-not-found", seconds=GONE_SECONDS)

    def web(self) -> list[Pod]:
        """Return the web pods that are not on their way out."""
        return [pod for pod in pods.listed(self.kubectl, pods.WEB) if not pod.ending]

    def server(self, kind: str) -> Pod:
        """Return the pod of Redis or PostgreSQL. Raise FleetError when there is none."""
        found = pods.listed(self.kubectl, kind)
        if not found:
            raise FleetError(f"There is no pod of {kind}.")
        return found[0]

    def until(self, what: str, holds: Callable[[], bool], seconds: float = HEAL_SECONDS) -> None:
        """Wait. Raise FleetError that says what did not come, and why."""
        if not waiting.until(holds, seconds, POLL_SECONDS):
            ill = illness.sentences(self.kubectl) or [f"{pod.name}: {pod.ill()}" for pod in self.all() if pod.ill()]
            raise FleetError(f"Within {seconds:g} s not: {what}. {' '.join(ill)}")

    def all(self) -> list[Pod]:
        """Return every pod that is meant to go on."""
        return pods.listed(self.kubectl, *KINDS)

    def is_whole(self, web: int | None = None) -> bool:
        """Return whether every pod is ready, none is on its way out, and there are so many of `web`, or enough."""
        there = self.all()
        count = sum(pod.kind == pods.WEB for pod in there)
        enough = count == web if web is not None else count >= LEAST_PODS
        kinds = {pod.kind for pod in there}
        return enough and kinds == set(KINDS) and all(pod.serves for pod in there)

    def heal(self, web: int | None = None) -> None:
        """Wait until the fleet is whole."""
        self.until(f"{web or 'all'} web pods, worker, Redis and PostgreSQL ready", lambda: self.is_whole(web))

    def is_rolled_out(self) -> bool:
        """Return whether the Deployment has its pods of the newest kind and no others."""
        said = self.kubectl.get("deployment", "web")
        status, wanted = said["status"], said["spec"]["replicas"]
        is_seen = status.get("observedGeneration") == said["metadata"]["generation"]
        counts = {status.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas")}
        return bool(is_seen and counts == {wanted})

    def rolled_out(self) -> None:
        """Wait until a rollout has come through, the old pods gone too."""
        self.until("a rollout that has come through", lambda: self.is_rolled_out() and self.is_whole())

    def job(self, name: str) -> dict[str, Any]:
        """Return the status of a Job."""
        return dict(self.kubectl.get("job", name)["status"])

    def evict(self, pod: str) -> bool:
        """Ask the cluster to evict a pod, as `kubectl drain` does; return whether a budget allows it now."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": self.kubectl.namespace},
        }
        path = f"/api/v1/namespaces/{self.kubectl.namespace}/pods/{pod}/eviction"
        done = self.kubectl.done("create", "--raw", path, "-f", "-", given=json.dumps(body))
        if done.returncode and "disruption budget" not in done.stderr:
            raise FleetError(f"The eviction of {pod} failed: {done.stderr.strip()}")
        return done.returncode == 0

    def secrets(self) -> dict[str, Any]:
        """Return the data of all secrets, by name."""
        return {each["metadata"]["name"]: each.get("data") for each in self.kubectl.listed("secrets")}

    def described(self) -> dict[str, Any]:
        """Return what each object of k8s/ is to be, by kind and name, without what the cluster notes about it."""
        return {
            f"{each['kind']} {each['metadata']['name']}": _without_notes(each)
            for each in self.kubectl.listed("-f", str(manifests.FOLDER))
        }


def _without_notes(body: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in body.items() if name not in ("status", "metadata")}
    meta = {name: value for name, value in body["metadata"].items() if name not in ("resourceVersion", "managedFields")}
    return {**kept, "metadata": meta}
