"""The container engine, through its own command: whether it answers, what it says, and what that means."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleet.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ANSWER_SECONDS = 10.0  # an engine that takes longer for its version does not work
SAID_LINES = 15
NATIVE = "or run without one: MODE=native"

NO_RIGHT = (
    "This account has no right to the container engine's socket: join its group (`sudo usermod -aG docker $USER`, then "
    f"log in again), {NATIVE}."
)
NO_ENGINE = (
    "No container engine answers: start it (`sudo systemctl start docker`), set DOCKER_HOST to the one that runs, "
    f"{NATIVE}."
)
DISK_FULL = (
    "The engine's disk is full: `docker system df` shows what takes it, `docker builder prune` and `docker image "
    "prune` free what nobody uses; then the same again."
)
PORT_TAKEN = "The port was taken meanwhile: `make up` names who has it."
NO_IMAGE = (
    "A base image is missing and no registry gives it: connect this machine, or build stand-ins from Debian's packages "
    "with deploy/images/standins.sh."
)
NO_WHEELS = (
    "The build reaches no package index, or deploy/wheels/ is older than the lock file: fetch the wheels with "
    "deploy/images/wheels.sh, then the same again."
)
FEW_CORES = "compose.yaml allows more processors than this machine has: give a lower EDGE_CPUS."

SENTENCES = (
    (r"permission denied while trying to connect to the docker|docker\.sock: connect: permission denied", NO_RIGHT),
    (r"cannot connect to the docker daemon|error during connect|is the docker daemon running", NO_ENGINE),
    (r"no space left on device|disk quota exceeded", DISK_FULL),
    (r"port is already allocated|address already in use", PORT_TAKEN),
    (r"pull access denied|manifest unknown|failed to do request|failed to resolve source metadata", NO_IMAGE),
    (r"no such host|get \"?https://\S+/v2/|error pulling image", NO_IMAGE),
    (r"no matching distribution found|could not find a version that satisfies|NewConnectionError", NO_WHEELS),
    (r"range of cpus is from", FEW_CORES),
)
"""What engines say → what a person can do; the first that fits."""


class EngineError(FleetError):
    """The engine refuses or fails; the text says what to do, or else what it said."""


def explain(command: str, said: str) -> str:
    """Return the sentence about what an engine said on its way out."""
    for pattern, sentence in SENTENCES:
        if re.search(pattern, said, re.IGNORECASE):
            return sentence
    lines = [line for line in said.strip().splitlines() if line.strip()][-SAID_LINES:] or ["it gave no reason"]
    return "\n".join([f"`{command}` failed:", *lines])


@dataclass(frozen=True)
class Engine:
    """The engine that the environment names (DOCKER_HOST), or this machine's."""

    program: str = "docker"
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def absence(self) -> str:
        """Return why no engine can be used, as a sentence; nothing when one answers."""
        if shutil.which(self.program, path=self.environ.get("PATH")) is None:
            return f"There is no `{self.program}` here: install a container engine with Compose, {NATIVE}."
        try:
            self.call("version", "--format", "{{.Server.Version}}", seconds=ANSWER_SECONDS)
        except EngineError as error:
            return str(error)
        return ""

    def call(
        self, *arguments: str, seconds: float | None = None, variables: Mapping[str, str] | None = None, given: str = ""
    ) -> str:
        """Return what a command prints, `given` on its input. Raise EngineError when it fails or takes longer."""
        return run([self.program, *arguments], {**self.environ, **(variables or {})}, seconds, given)

    def inspect(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return what the engine knows of containers; one that has just gone is left out."""
        if not names:
            return []
        command = [self.program, "container", "inspect", *names]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode != 0 and "No such container" not in done.stderr:
            raise EngineError(explain(self.program, done.stderr))
        return list(json.loads(done.stdout or "[]"))


def run(command: Sequence[str], environ: Mapping[str, str], seconds: float | None = None, given: str = "") -> str:
    """Return what a command prints. Raise EngineError with the sentence when it fails."""
    name = " ".join(command[:2])
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, input=given, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"`{name}` takes longer than {seconds:g} s: the container engine hangs, {NATIVE}.") from None
    if done.returncode != 0:
        raise EngineError(explain(name, done.stderr + done.stdout))
    return done.stdout
