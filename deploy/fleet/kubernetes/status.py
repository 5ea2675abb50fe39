"""`make status MODE=k8s`: one row for each replica, then for each other pod, and what is in the way."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fleet.errors import FAILED, NothingRunsError
from fleet.kubernetes import pods
from fleet.kubernetes.kubectl import Kubectl, require
from fleet.table import Row, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fleet.kubernetes.pods import Pod, Replica
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

HEADS = ("replica", "pod", "uptime", "connections", "memory", "ready")
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
SERVERS = (pods.WORKER, pods.REDIS, pods.POSTGRES)


def status(_asked: Options, _run: Run, progress: Progress) -> int:
    """Print the table; 0 when all is well, 1 when something is not, 3 when nothing runs."""
    kubectl = Kubectl()
    require(kubectl)
    listed = pods.listed(kubectl)
    if not listed:
        raise NothingRunsError("Nothing runs in the namespace fanout. `kubectl apply -f k8s` brings the fleet up.")
    web = [pod for pod in listed if pod.kind == pods.WEB]
    rows = table(web, pods.replicas(kubectl, web), [pod for pod in listed if pod.kind in SERVERS], memory(kubectl))
    progress.say(render(rows, HEADS))
    if said := jobs(listed):
        progress.say("\n" + "\n".join(said))
    return 0 if rows and not said and all(row.is_well for row in rows) else FAILED


def table(
    web: Sequence[Pod], replicas: Sequence[Replica], servers: Sequence[Pod], taken: Mapping[tuple[str, str], int]
) -> list[Row]:
    """Return a row for each replica, for each nginx, and for each server; a pod without containers has one, too."""
    empty = [pod for pod in [*web, *servers] if not pod.containers]
    return [
        *(_replica_row(replica, taken) for replica in replicas),
        *(_row(pod, pod.kind, pod.ill() or "no container yet", None) for pod in empty),
        *(
            _row(pod, each.name, each.why or ("yes" if each.ready else "no"), taken.get((pod.name, each.name)))
            for pod in [*web, *servers]
            for each in pod.containers
            if not each.name.startswith("web-")
        ),
    ]


def _replica_row(replica: Replica, taken: Mapping[tuple[str, str], int]) -> Row:
    ill = [f"{check}: {verdict}" for check, verdict in replica.said.get("checks", {}).items() if verdict != "ok"]
    said = str(replica.said.get("status") or replica.pod.ill() or "silent")
    ready = "yes" if replica.is_ready and not replica.pod.ending else "; ".join([said, *ill])
    bytes_taken = taken.get((replica.pod.name, replica.slot))
    return _row(replica.pod, replica.slot, ready, bytes_taken, replica.said.get("connections"))


def _row(pod: Pod, name: str, ready: str, bytes_taken: int | None, connections: int | None = None) -> Row:
    age = (dt.datetime.now(dt.UTC) - pod.started).total_seconds() if pod.started else None
    return Row(name=name, pid=pod.name, seconds=age, connections=connections, memory=bytes_taken, ready=ready)


def jobs(listed: Sequence[Pod]) -> list[str]:
    """Return a sentence for each Job that has not come through."""
    return [
        f"{pod.name} ({pod.kind}) has not come through: {pod.ill()}; kubectl logs --namespace fanout {pod.name}"
        for pod in listed
        if pod.kind in ("migrate", "secrets") and pod.phase not in ("Succeeded", "Running")
    ]


def memory(kubectl: Kubectl) -> dict[tuple[str, str], int]:
    """Return the bytes of each container, by pod and name; nothing where the cluster measures none."""
    done = kubectl.done("top", "pods", "--containers", "--no-headers")
    fields = [line.split() for line in done.stdout.splitlines()] if done.returncode == 0 else []
    return {(pod, name): size(text) for pod, name, _, text in (each for each in fields if len(each) == 4)}  # noqa: PLR2004 - columns


def size(text: str) -> int:
    """Return the bytes of the cluster's "81Mi"."""
    number, unit = text[:-2], text[-2:]
    return int(number) * UNITS[unit] if unit in UNITS and number.isdecimal() else 0
