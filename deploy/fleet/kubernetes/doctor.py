"""`make k8s-doctor`: what keeps the fleet from coming up in the cluster of the current context, in sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet import waiting
from fleet.doctor import machine
from fleet.errors import FAILED
from fleet.kubernetes import illness, manifests, pods
from fleet.kubernetes.kubectl import Kubectl, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

OLDEST = (1, 29)
"""The first that starts and ends sidecars as k8s/60-web.yaml needs it: in an older one nginx would be a container
that has to end before replicas start."""
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
DEFAULT_INGRESS = "ingressclass.kubernetes.io/is-default-class"
NEEDED = (
    "create namespaces", "create priorityclasses.scheduling.k8s.io", "create deployments.apps", "create jobs.batch",
    "create statefulsets.apps", "create secrets", "create roles.rbac.authorization.k8s.io",
    "create networkpolicies.networking.k8s.io", "create resourcequotas",
)  # fmt: skip
NODE_IMAGES = 50  # a node names no more of them than that
TOLD_SECONDS = 45.0
"""The kubelet looks which images it has every thirty seconds, and tells every ten."""
METRICS = "v1beta1.metrics.k8s.io"


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    sentence: str
    is_wrong: bool = True
    """Whether the fleet cannot come up like this; else it is good to know."""


def doctor(_asked: Options, _run: Run, progress: Progress) -> int:
    """Print every finding; 0 when nothing is wrong."""
    kubectl = Kubectl()
    version, context = require(kubectl), kubectl.context()
    progress.say(f"The cluster of the context {context.name} at {context.server}: Kubernetes {version}.")
    with progress.step("look at it"):
        findings = [*of_version(version), *(finding for check in CHECKS for finding in check(kubectl))]
    for finding in findings:
        progress.say(f"  {'wrong' if finding.is_wrong else 'note '}  {finding.sentence}")
    wrong = sum(finding.is_wrong for finding in findings)
    progress.say(f"{wrong} of it keeps the fleet from coming up." if wrong else "Nothing is in the way.")
    return FAILED if wrong else 0


def of_version(version: str) -> list[Finding]:
    """Return what is wrong with a server's version."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    if match and (int(match[1]), int(match[2])) >= OLDEST:
        return []
    oldest = ".".join(map(str, OLDEST))
    return [Finding(f"Kubernetes {version} is too old: nginx' sidecar needs {oldest} at least. Take a newer cluster.")]


def of_rights(kubectl: Kubectl) -> list[Finding]:
    """Return what this account may not do."""
    denied = [what for what in NEEDED if kubectl.done("auth", "can-i", *what.split()).stdout.strip() != "yes"]
    if not denied:
        return []
    return [Finding(f"This account may not {'; '.join(denied)}: ask the cluster's owner, or take another context.")]


def of_storage(kubectl: Kubectl) -> list[Finding]:
    """Return whether volumes can be made for Redis and PostgreSQL."""
    claims = kubectl.listed("persistentvolumeclaims") if kubectl.exists() else []
    if claims and all(claim["status"].get("phase") == "Bound" for claim in claims):
        return []
    classes = kubectl.listed("storageclasses.storage.k8s.io")
    if any(each["metadata"].get("annotations", {}).get(DEFAULT_CLASS) == "true" for each in classes):
        return []
    names = ", ".join(each["metadata"]["name"] for each in classes)
    if not names:
        return [
            Finding(
                "There is no StorageClass, so Redis and PostgreSQL get no volume: install a provisioner, or use "
                "servers of your own (deploy/kubernetes/external-redis/, external-postgres/)."
            )
        ]
    return [
        Finding(
            f"None of the StorageClasses ({names}) is the default, so Redis and PostgreSQL get no volume: kubectl "
            f"annotate storageclass {classes[0]['metadata']['name']} {DEFAULT_CLASS}=true"
        )
    ]


def of_images(kubectl: Kubectl) -> list[Finding]:
    """Return which of our images no node has; they have no registry in their names."""
    missing: list[str] = []

    def there() -> bool:
        missing[:] = _missing(kubectl)
        return not missing

    if waiting.until(there, TOLD_SECONDS, 1.0):
        return []
    needed = [name for name in missing if not name.startswith("fanout-load")]
    return [
        Finding(
            f"No node has {', '.join(missing)}: `make images` and `make k8s-load`, or a registry "
            "(deploy/kubernetes/registry/).",
            is_wrong=bool(needed),
        )
    ]


def _missing(kubectl: Kubectl) -> list[str]:
    listed = [node["status"].get("images", []) for node in kubectl.listed("nodes")]
    if any(len(images) >= NODE_IMAGES for images in listed):
        return []
    there = {name for images in listed for name in short_names(images)}
    return [name for name in manifests.images() if name.partition(":")[0] in manifests.OURS and name not in there]


def short_names(images: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return what a node calls its images, without registry and folder; one may have no name at all."""
    return {name.rpartition("/")[2] for image in images for name in image.get("names") or ()}


def of_extras(kubectl: Kubectl) -> list[Finding]:
    """Return what the fleet comes up without, but not with all it could do."""
    found = []
    metrics = kubectl.found("apiservices.apiregistration.k8s.io", METRICS)
    conditions = metrics["status"].get("conditions", []) if metrics else []
    if not any(each["type"] == "Available" and each["status"] == "True" for each in conditions):
        found.append(
            Finding("Nobody measures pods (metrics-server): the autoscaler stays at its least.", is_wrong=False)
        )
    classes = kubectl.listed("ingressclasses.networking.k8s.io")
    if not any(each["metadata"].get("annotations", {}).get(DEFAULT_INGRESS) == "true" for each in classes):
        found.append(
            Finding(
                "No Ingress class is the default, so nothing is reached from outside by k8s/62-web-ingress.yaml: name "
                "one there (ingressClassName), or kubectl port-forward --namespace fanout service/web 8080:80",
                is_wrong=False,
            )
        )
    return found


def of_manifests(kubectl: Kubectl) -> list[Finding]:
    """Return what the server would refuse; before the namespace is there, of what does not need it."""
    files = manifests.files() if kubectl.exists() else manifests.files()[:2]
    words = [word for path in files for word in ("-f", str(path))]
    done = kubectl.done("apply", "--dry-run=server", *words)
    lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("Warning: resource")]
    return [Finding(f"The server refuses k8s/: {line}") for line in lines] if done.returncode else []


def of_fleet(kubectl: Kubectl) -> list[Finding]:
    """Return what is wrong with what is there already."""
    return [Finding(sentence) for sentence in illness.sentences(kubectl)] if kubectl.exists() else []


def of_clients(kubectl: Kubectl) -> list[Finding]:
    """Return whether all clients have one address, as behind an Ingress whose word is not believed."""
    if not kubectl.exists():
        return []
    serving = [pod for pod in pods.listed(kubectl, pods.WEB) if pod.serves]
    answers = [replica.said for replica in pods.replicas(kubectl, serving)]
    told = machine.of_addresses(answers)
    return [Finding(f"{each.what} {each.why} {each.do}.", is_wrong=False) for each in told]


CHECKS: tuple[Callable[[Kubectl], list[Finding]], ...] = (
    of_rights, of_storage, of_images, of_manifests, of_fleet, of_clients, of_extras,
)  # fmt: skip
