"""The proof as a Job in the cluster: loadtest/job.yaml, for as long as an item takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import yaml

from fleet import waiting
from fleet.errors import FleetError
from fleet.kubernetes import manifests, pods

if TYPE_CHECKING:
    from types import TracebackType

    from fleet.kubernetes.kubectl import Kubectl

USERS = 60
RATE = 20
ALWAYS = (
    # Replicas come and go; Redis or a node may be away for some seconds, which is no loss.
    "--changing", "1", "--p99", "60000", "--settle", "30", "--loglevel", "ERROR",
)  # fmt: skip
JOB = "proof"
FLOWING_SECONDS = 120.0
"""For the Job's pod to start and its clients to be there, on a busy node."""
VERDICT_SECONDS = 120.0
GONE_SECONDS = 60.0
ENOUGH = 0.9
"""Share of the clients that has to be connected: some of them reconnect all the time."""
STOP = ("sh", "-c", "kill -TERM $(cat /tmp/locust.pid)")


@dataclass(frozen=True)
class Flow:
    """What goes through the fleet meanwhile."""

    users: int = USERS
    rate: int = RATE
    """Publications a second, of all together."""

    def arguments(self) -> list[str]:
        """Return Locust's words for it, for a run that ends when it is told to."""
        return [
            "--host", "http://web", "--users", str(self.users), "--spawn-rate", "30", "--run-time", "3600s",
            "--rate", str(self.rate), *ALWAYS,
        ]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a proof came to."""

    verdict: str
    sentence: str
    published: int
    received: int
    lost: int
    doubled: int
    disordered: int
    resets: int
    replicas: tuple[str, ...]
    away: str
    """What the kinds of clients have to tell of their time away."""

    @property
    def is_proved(self) -> bool:
        """Return whether nothing was lost, doubled or out of order."""
        return self.verdict == "proved"


def outcome(result: dict[str, Any]) -> Outcome:
    """Return the outcome of the proof's JSON."""
    counts = [cell["count"] for cell in result["cells"]]
    names = ("received", "lost", "doubled", "disordered")
    received, lost, doubled, disordered = (sum(count[name] for count in counts) for name in names)
    return Outcome(
        verdict=result["verdict"],
        sentence=" ".join(result["reasons"]) or result["sentence"],
        published=sum(kind["published"] for kind in result["kinds"]),
        received=received,
        lost=lost,
        doubled=doubled,
        disordered=disordered,
        resets=sum(kind["resets"] for kind in result["kinds"]),
        replicas=tuple(result["replicas"]),
        away=" ".join(f"{kind['name']}: {kind['note']}" for kind in result["kinds"] if kind["note"]),
    )


class Proof:
    """One run; publications flow inside the `with` block."""

    def __init__(self, kubectl: Kubectl, flow: Flow) -> None:
        self._kubectl = kubectl
        self._flow = flow

    def __enter__(self) -> Self:
        """Start the Job and wait until its clients are there. Raise FleetError."""
        self.clear()
        self._kubectl.call("apply", "-f", "-", given=manifest(self._flow))
        if not waiting.until(self._flows, FLOWING_SECONDS):
            raise FleetError(f"The proof does not begin within {FLOWING_SECONDS:g} s: {self._said()}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the Job where it has ended by itself, for a look at it; end it otherwise."""
        if error is not None:
            self.clear()

    def clear(self) -> None:
        """Take a Job away, with its pod, and wait until it is gone."""
        self._kubectl.call(
            "delete", "job", JOB, "--ignore-not-found", "--wait", "--cascade=foreground", seconds=GONE_SECONDS
        )

    def connected(self) -> int:
        """Return how many clients the replicas have."""
        web = [pod for pod in pods.listed(self._kubectl, pods.WEB) if not pod.ending]
        return sum(replica.said.get("connections") or 0 for replica in pods.replicas(self._kubectl, web))

    def end(self) -> Outcome:
        """Stop publishing and return the verdict. Raise FleetError when there is none."""
        self._kubectl.call("exec", f"job/{JOB}", "--", *STOP)
        if not waiting.until(self._is_over, VERDICT_SECONDS):
            raise FleetError(f"The proof does not come to a verdict: {self._said()}")
        # All of it: a long line is many lines to --tail.
        lines = self._kubectl.call("logs", f"job/{JOB}").strip().splitlines()
        try:
            return outcome(json.loads(lines[-1]))
        except (ValueError, IndexError):
            raise FleetError(f"The proof has no verdict: {self._said()}") from None

    def is_whole(self) -> bool:
        """Return whether the clients are connected."""
        return self.connected() >= ENOUGH * self._flow.users

    def _flows(self) -> bool:
        if self._is_over():
            raise FleetError(f"The proof ended before it began: {self._said()}")
        return self.is_whole()

    def _is_over(self) -> bool:
        status = self._kubectl.get("job", JOB)["status"]
        return bool(status.get("succeeded") or status.get("failed"))

    def _said(self) -> str:
        done = self._kubectl.done("logs", f"job/{JOB}", "--tail", "5")
        lines = [line for line in (done.stdout or done.stderr).splitlines() if line and not line.startswith("{")]
        return " ".join(lines) or "it said nothing"


def manifest(flow: Flow) -> str:
    """Return loadtest/job.yaml with the arguments of a run that ends when it is told to."""
    documents = list(yaml.safe_load_all(manifests.LOAD.read_text(encoding="utf-8")))
    for document in documents:
        if document["kind"] == "Job":
            document["spec"]["template"]["spec"]["containers"][0]["args"] = flow.arguments()
    return str(yaml.safe_dump_all(documents))
