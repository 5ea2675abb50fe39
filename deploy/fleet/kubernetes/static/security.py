"""Every pod is what Pod Security calls restricted, bounded in what it takes, and without a token it does not use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet.kubernetes.static.tree import Maker, Tree

VOLUMES = ("configMap", "emptyDir", "projected", "secret", "persistentVolumeClaim", "downwardAPI", "csi", "ephemeral")
SHARED = ("hostNetwork", "hostPID", "hostIPC")
WITH_TOKEN = ("secrets",)
"""Accounts whose pods talk to the API server."""
REQUESTS, LIMITS = ("cpu", "memory", "ephemeral-storage"), ("memory", "ephemeral-storage")
"""No limit of CPU: k8s/60-web.yaml says why."""


def problems(tree: Tree) -> Iterator[str]:
    """Yield what the standard, or we, refuse."""
    for maker in tree.makers():
        yield from _of_pod(maker)
        for container in maker.containers:
            yield from (f"{maker}: {container['name']} {said}" for said in _of_container(container, maker.pod))
    for account in tree.of("ServiceAccount"):
        if account.body.get("automountServiceAccountToken") is not False:
            yield f"{account}: automountServiceAccountToken is not false."


def _of_pod(maker: Maker) -> Iterator[str]:
    pod = maker.pod
    yield from (f"{maker}: {field} is shared with the node." for field in SHARED if pod.get(field))
    for volume in pod.get("volumes", ()):
        if not any(kind in volume for kind in VOLUMES):
            yield f"{maker}: the volume {volume['name']} is of a kind that restricted pods may not have."
    has_token = pod.get("automountServiceAccountToken") is not False
    if has_token and pod.get("serviceAccountName") not in WITH_TOKEN:
        yield f"{maker}: it gets a token: automountServiceAccountToken: false."
    if pod.get("enableServiceLinks") is not False:
        yield f"{maker}: it gets a variable for each Service: enableServiceLinks: false."


def _of_container(container: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    own, shared = container.get("securityContext", {}), pod.get("securityContext", {})
    both = {**shared, **own}
    if both.get("runAsNonRoot") is not True or not both.get("runAsUser"):
        yield "may run as root: runAsNonRoot: true, and runAsUser."
    if both.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile: RuntimeDefault."
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges: allowPrivilegeEscalation: false."
    if own.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities: drop: [ALL]."
    if own.get("readOnlyRootFilesystem") is not True:
        yield "may write to its image: readOnlyRootFilesystem: true."
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "takes a port of its node."
    resources = container.get("resources", {})
    yield from (f"requests no {name}." for name in REQUESTS if name not in resources.get("requests", {}))
    yield from (f"has no limit of {name}." for name in LIMITS if name not in resources.get("limits", {}))
