"""What is wrong with the fleet as it is in the cluster, each a sentence with the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet.kubernetes import pods

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet.kubernetes.kubectl import Kubectl
    from fleet.kubernetes.pods import Pod

UNFETCHED = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
QUOTA = "exceeded quota"


def sentences(kubectl: Kubectl) -> list[str]:
    """Return a sentence for each illness; nothing when all is well."""
    listed = pods.listed(kubectl)
    return [
        *(of_workload(each) for each in kubectl.listed("deployments") if failure(each)),
        *(said for job in kubectl.listed("jobs") if (said := of_job(job))),
        *(said for claim in kubectl.listed("persistentvolumeclaims") if (said := of_claim(claim))),
        *(said for pod in listed if (said := of_pod(pod))),
        *of_quota(kubectl, listed),
    ]


def failure(workload: Mapping[str, Any]) -> str:
    """Return why a Deployment cannot make its pods, in the cluster's words; nothing when it can."""
    for condition in workload["status"].get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return str(condition.get("message", condition.get("reason", "")))
    return ""


def of_workload(workload: Mapping[str, Any]) -> str:
    """Return the sentence about a Deployment that cannot make its pods."""
    name, said = workload["metadata"]["name"], failure(workload)
    if QUOTA in said:
        return f"The quota is too small for {name}: raise it in k8s/02-quota.yaml. The cluster says: {said}"
    return f"The cluster refuses pods of {name}: {said}"


def of_job(job: Mapping[str, Any]) -> str:
    """Return the sentence about a Job that has given up."""
    name = job["metadata"]["name"]
    for condition in job["status"].get("conditions", ()):
        if condition["type"] == "Failed" and condition["status"] == "True":
            return (
                f"The Job {name} has given up ({condition.get('message', '')}): kubectl logs --namespace fanout "
                f"job/{name} says why; delete it, and kubectl apply -f k8s makes it anew."
            )
    return ""


def of_claim(claim: Mapping[str, Any]) -> str:
    """Return the sentence about a volume that is not there."""
    if claim["status"].get("phase") == "Bound":
        return ""
    name = claim["metadata"]["name"]
    return f"The volume {name} is not there yet: kubectl describe persistentvolumeclaim --namespace fanout {name}"


def of_pod(pod: Pod) -> str:
    """Return the sentence about a pod that cannot run."""
    if pod.unscheduled:
        return f"No node takes {pod.name}: {pod.unscheduled}"
    for container in pod.containers:
        if container.why.startswith(UNFETCHED):
            return (
                f"The image of {pod.name} ({container.name}) is not there: `make images` and `make k8s-load`, or a "
                f"registry (deploy/kubernetes/registry/). The cluster says: {container.why}"
            )
        if container.why.startswith(("CrashLoopBackOff", "ended with")):
            return (
                f"{container.name} of {pod.name} ends again and again: kubectl logs --namespace fanout {pod.name} "
                f"--container {container.name} --previous"
            )
    return ""


def of_quota(kubectl: Kubectl, listed: list[Pod]) -> list[str]:
    """Return what the quota refuses to StatefulSets and Jobs, which say so in events only."""
    refused: dict[str, str] = {}
    for event in kubectl.listed("events", "--field-selector", "reason=FailedCreate"):
        involved = event["involvedObject"]
        has_pods = any(pod.name.startswith(f"{involved['name']}-") for pod in listed)
        if QUOTA in event.get("message", "") and involved["kind"] in ("StatefulSet", "Job") and not has_pods:
            refused[involved["name"]] = event["message"]
    return [
        f"The quota is too small for {name}: raise it in k8s/02-quota.yaml. The cluster says: {said}"
        for name, said in refused.items()
    ]
