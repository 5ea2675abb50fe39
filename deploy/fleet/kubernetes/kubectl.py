"""The cluster, through `kubectl` and its current context: whether it answers, what it says, and what that means."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMESPACE = "fanout"
"""As k8s/00-namespace.yaml names it."""
ANSWER_SECONDS = 15.0  # a server that takes longer to say its version does not work
SAID_LINES = 10
LOCAL = re.compile(r"https://(127\.[\d.]+|localhost|\[::1\]|0\.0\.0\.0)(:|/|$)")
LOCAL_NAMES = re.compile(r"(kind-|k3d-).*|minikube|docker-desktop|rancher-desktop|orbstack|colima")
"""Contexts of clusters that programs make on one's own machine."""

NO_CONTEXT = (
    "kubectl has no cluster to talk to: `kubectl config get-contexts` lists the ones it knows, "
    "`kubectl config use-context NAME` chooses one; KUBECONFIG names another file of them."
)
NO_ANSWER = (
    "The cluster of kubectl's current context does not answer: start it, or choose another "
    "(`kubectl config get-contexts`, `kubectl config use-context NAME`)."
)
NO_RIGHT = "The cluster does not let this account do that"
SENTENCES = (
    (r"current-context is not set|no configuration has been provided|context .* does not exist", NO_CONTEXT),
    (r"localhost:8080 was refused", NO_CONTEXT),  # what it tries when it knows none
    (r"was refused|no route to host|no such host|i/o timeout|network is unreachable|TLS handshake timeout", NO_ANSWER),
    (r"certificate signed by unknown authority|certificate has expired|Unauthorized|must be logged in", NO_ANSWER),
)
"""What kubectl says → what a person can do; the first that fits."""
FORBIDDEN = re.compile(r"\(Forbidden\)|forbidden:")


class ClusterError(FleetError):
    """The cluster refuses or fails; the text says what to do, or else what it said."""


@dataclass(frozen=True)
class Context:
    """Where kubectl sends things."""

    name: str
    server: str

    @property
    def is_for_tests(self) -> bool:
        """Return whether it is a cluster of this machine, which nobody else depends on."""
        return bool(LOCAL.match(self.server) or LOCAL_NAMES.fullmatch(self.name))


@dataclass(frozen=True)
class Kubectl:
    """kubectl in the fleet's namespace."""

    program: str = "kubectl"
    namespace: str = NAMESPACE

    def command(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        return [self.program, "--namespace", self.namespace, *arguments]

    def call(self, *arguments: str, seconds: float | None = None, given: str | None = None) -> str:
        """Return what a command prints; `given` is its standard input. Raise ClusterError."""
        done = self.done(*arguments, seconds=seconds, given=given)
        if done.returncode != 0:
            raise ClusterError(explain(arguments, done.stderr or done.stdout))
        return done.stdout

    def done(
        self, *arguments: str, seconds: float | None = None, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and return how it ended. Raise ClusterError when there is no kubectl, or it takes too long."""
        try:
            return subprocess.run(
                self.command(*arguments), input=given or "", capture_output=True, text=True, timeout=seconds,
                check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise ClusterError(absent(self.program)) from None
        except subprocess.TimeoutExpired:
            raise ClusterError(f"`kubectl {arguments[0]}` takes longer than {seconds:g} s. {NO_ANSWER}") from None

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return what `kubectl get … -o json` says. Raise ClusterError."""
        return dict(json.loads(self.call("get", *arguments, "-o", "json")))

    def listed(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the items of a kind. Raise ClusterError."""
        return list(self.get(*arguments)["items"])

    def found(self, *arguments: str) -> dict[str, Any] | None:
        """Return one object, None where there is none of that name. Raise ClusterError."""
        said = self.call("get", *arguments, "--ignore-not-found", "-o", "json").strip()
        return dict(json.loads(said)) if said else None

    def exists(self) -> bool:
        """Return whether the fleet's namespace is there."""
        return self.found("namespace", self.namespace) is not None

    def version(self) -> str:
        """Return the server's version, as in v1.35.4. Raise ClusterError."""
        said = self.call("version", "-o", "json", seconds=ANSWER_SECONDS)
        return str(json.loads(said)["serverVersion"]["gitVersion"])

    def context(self) -> Context:
        """Return the current context. Raise ClusterError."""
        said = json.loads(self.call("config", "view", "--minify", "-o", "json"))
        clusters = said.get("clusters") or [{}]
        return Context(said.get("current-context", ""), clusters[0].get("cluster", {}).get("server", ""))


def absent(program: str) -> str:
    """Return the sentence about a missing kubectl."""
    return f"There is no `{program}` here: install it (https://kubernetes.io/docs/tasks/tools/), or extend PATH."


def require(kubectl: Kubectl) -> str:
    """Return the server's version. Raise ClusterError when there is no kubectl, or no cluster that answers."""
    if shutil.which(kubectl.program) is None:
        raise ClusterError(absent(kubectl.program))
    return kubectl.version()


def explain(arguments: Sequence[str], said: str) -> str:
    """Return the sentence about what kubectl said on its way out."""
    for pattern, sentence in SENTENCES:
        if re.search(pattern, said, re.IGNORECASE):
            return sentence
    lines = [line for line in said.strip().splitlines() if line.strip()][-SAID_LINES:] or ["it gave no reason"]
    if FORBIDDEN.search(said):
        return f"{NO_RIGHT}: {lines[-1]}"
    return "\n".join([f"`kubectl {' '.join(arguments[:2])}` failed:", *lines])
