"""Which function does which verb in a cluster."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fleet.errors import UsageError
from fleet.progress import Progress

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.state import Run

MODE = "k8s"
ONLY_HERE = ("images", "k8s-load", "k8s-doctor", "test-k8s")
"""Verbs that mean a cluster, whatever MODE says."""
VERBS = {
    "status": "status.status",
    "prove": "prove.prove",
    "doctor": "doctor.doctor",
    "images": "images.images",
    "k8s-load": "loading.load",
    "k8s-doctor": "doctor.doctor",
    "test-k8s": "trial.run.trial",
}
"""Each a function of a module, imported when it is needed: some need the virtual environment."""
INSTEAD = {
    "up": "kubectl apply -f k8s",
    "down": "kubectl delete -f k8s (the data goes too)",
    "restart": "kubectl rollout restart --namespace fanout deployment/web",
    "scale": "kubectl edit --namespace fanout horizontalpodautoscaler/web (minReplicas)",
    "logs": "kubectl logs --namespace fanout --selector app.kubernetes.io/name=web --all-containers --follow",
    "load": "kubectl apply -f loadtest/job.yaml",
    "chaos": "make test-k8s",
}


def is_meant(asked: Options) -> bool:
    """Return whether a cluster is meant."""
    return asked.verb in ONLY_HERE or (asked.mode == MODE and asked.verb in (*VERBS, *INSTEAD))


def do(asked: Options, run: Run) -> int:
    """Do a verb; return the exit code. Raise UsageError for one that is kubectl's."""
    if asked.verb not in VERBS:
        raise UsageError(f"In a cluster it is kubectl that does this: {INSTEAD[asked.verb]}")
    module, _, function = VERBS[asked.verb].rpartition(".")
    return int(getattr(importlib.import_module(f"fleet.kubernetes.{module}"), function)(asked, run, Progress()))
