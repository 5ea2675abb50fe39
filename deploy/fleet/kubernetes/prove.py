"""`make prove MODE=k8s`: the proof from this machine, over all pods that serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet import load
from fleet.errors import NothingRunsError
from fleet.kubernetes import pods
from fleet.kubernetes.forward import forwarded
from fleet.kubernetes.kubectl import Kubectl, require
from fleet.state import Settings

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run


def prove(asked: Options, run: Run, progress: Progress) -> int:
    """Show that the fleet in the cluster loses nothing, and that the proof would have noticed."""
    kubectl = Kubectl()
    require(kubectl)
    serving = [pod for pod in pods.listed(kubectl, pods.WEB) if pod.serves]
    if not serving:
        raise NothingRunsError("No web pod is ready in the namespace fanout: `make status MODE=k8s` says why.")
    count = sum(container.name.startswith("web-") for pod in serving for container in pod.containers)
    progress.say(f"{len(serving)} pods with {count} replicas, each reached through kubectl port-forward.")
    with forwarded(kubectl, [pod.name for pod in serving]) as port:
        return load.prove_at(Settings(replicas=count, port=port, bind=("127.0.0.1",)), asked, run, progress)
