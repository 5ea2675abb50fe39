"""The fleet's pods, as the cluster knows them, and what each replica says of itself."""

from __future__ import annotations

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleet.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fleet.kubernetes.kubectl import Kubectl

NAME = "app.kubernetes.io/name"
WEB, WORKER, REDIS, POSTGRES = "web", "worker", "redis", "postgres"
PROBE = ("python", "-m", "ops.probe")
PROBE_SECONDS = 15.0  # on a busy node the first answer of `kubectl exec` takes seconds


@dataclass(frozen=True)
class Container:
    """One container of a pod, sidecars among them."""

    name: str
    ready: bool
    restarts: int
    why: str
    """Why it does not run, in the cluster's words; nothing when it runs."""
    image: str
    """Its identity, not its name."""


@dataclass(frozen=True)
class Pod:
    """One pod."""

    name: str
    kind: str
    """What it is of: web, worker, redis, postgres, migrate, secrets."""
    uid: str
    phase: str
    ready: bool
    ready_since: str
    """When it became so, as the cluster writes it (2026-11-26T01:02:03Z); nothing when it never was."""
    ending: bool
    """Whether it was told to go."""
    started: dt.datetime | None
    containers: tuple[Container, ...]
    unscheduled: str
    """Why no node takes it."""

    @property
    def serves(self) -> bool:
        """Return whether it is in its Service."""
        return self.ready and not self.ending

    @property
    def restarts(self) -> int:
        """Return how often containers of it were started again."""
        return sum(container.restarts for container in self.containers)

    def ill(self) -> str:
        """Return what is wrong, in words; nothing when it is well."""
        if self.ending:
            return "ending"
        if self.unscheduled:
            return f"no node takes it: {self.unscheduled}"
        for container in self.containers:
            if container.why:
                return f"{container.name}: {container.why}"
        return "" if self.ready else "not ready"


@dataclass(frozen=True)
class Replica:
    """One container of a web pod with what it says of itself."""

    pod: Pod
    slot: str
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return its name over the fleet."""
        return f"{self.pod.name}-{self.slot}"

    @property
    def is_ready(self) -> bool:
        """Return whether it is in service with all it needs."""
        return self.said.get("status") == "ready"


def listed(kubectl: Kubectl, *kinds: str) -> list[Pod]:
    """Return the fleet's pods, of some kinds or all, by kind and age."""
    selector = f"{NAME} in ({','.join(kinds)})" if kinds else NAME
    pods = [parse(said) for said in kubectl.listed("pods", "--selector", selector)]
    return sorted(pods, key=lambda pod: (pod.kind, pod.name))


def parse(said: Mapping[str, Any]) -> Pod:
    """Return what `kubectl get pod -o json` says of one."""
    meta, status = said["metadata"], said["status"]
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    scheduled = conditions.get("PodScheduled", {})
    sidecars = {each["name"] for each in said["spec"].get("initContainers", ()) if each.get("restartPolicy")}
    inner = [each for each in status.get("initContainerStatuses", ()) if each["name"] in sidecars]
    return Pod(
        name=meta["name"],
        kind=meta["labels"].get(NAME, ""),
        uid=meta["uid"],
        phase=status.get("phase", ""),
        ready=conditions.get("Ready", {}).get("status") == "True",
        ready_since=conditions.get("Ready", {}).get("lastTransitionTime") or "",
        ending="deletionTimestamp" in meta,
        started=dt.datetime.fromisoformat(status["startTime"]) if status.get("startTime") else None,
        containers=tuple(_container(each) for each in [*inner, *status.get("containerStatuses", ())]),
        unscheduled=scheduled.get("message", "") if scheduled.get("status") == "False" else "",
    )


def _container(said: Mapping[str, Any]) -> Container:
    state = said.get("state", {})
    waiting, ended = state.get("waiting", {}), state.get("terminated", {})
    why = waiting.get("reason", "")
    if why and (more := waiting.get("message", "")):
        why = f"{why}: {more}"
    if ended and ended.get("exitCode"):
        why = f"ended with exit code {ended['exitCode']} ({ended.get('reason', '')})"
    return Container(said["name"], said.get("ready", False), said.get("restartCount", 0), why, said.get("imageID", ""))


def replicas(kubectl: Kubectl, pods: Sequence[Pod]) -> list[Replica]:
    """Return the replicas of web pods with what they say; nothing said by one that does not answer."""
    asked = [(pod, container.name) for pod in pods for container in pod.containers if container.name.startswith("web-")]
    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = pool.map(lambda each: _ask(kubectl, *each), asked)
        return [Replica(pod, slot, said) for (pod, slot), said in zip(asked, answers, strict=True)]


def _ask(kubectl: Kubectl, pod: Pod, slot: str) -> dict[str, Any]:
    command = ["exec", pod.name, "--container", slot, "--", *PROBE, f"/run/fanout/{slot}.sock"]
    try:
        said = json.loads(kubectl.done(*command, seconds=PROBE_SECONDS).stdout)
    except (FleetError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
