"""`make k8s-load`: gives a cluster on this machine the images of the engine, since it has no registry to fetch them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.compose.engine import Engine, EngineError
from fleet.errors import FleetError, UsageError
from fleet.kubernetes import manifests
from fleet.kubernetes.images import engine
from fleet.kubernetes.kubectl import Context, Kubectl

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

CONTAINERD = Path("/run/containerd/containerd.sock")
ARCHIVE = "{archive}"
"""Stands in a command for the file that `docker save` wrote."""


def load(asked: Options, _run: Run, progress: Progress) -> int:
    """Load every image that k8s/ names and the engine has. Raise FleetError when one of ours was never built."""
    source = engine()
    there = [name for name in manifests.images() if _has(source, name)]
    missing = [name for name in manifests.images() if name not in there and name.partition(":")[0] in manifests.OURS]
    if missing:
        raise FleetError(f"{', '.join(missing)} was never built here: `make images` builds it.")
    command = way(Kubectl().context(), asked.loader)
    for name in there:
        with progress.step(f"load {name}"):
            give(source, name, command)
    if others := [name for name in manifests.images() if name not in there]:
        progress.say(f"  The engine does not have {', '.join(others)}: the cluster fetches it itself.")
    return 0


def way(context: Context, loader: str | None = None) -> list[str]:
    """Return the command that loads an archive into the cluster of a context. Raise UsageError when none is known."""
    kind, _, name = context.name.partition("-")
    if loader:
        words = shlex.split(loader)
        return words if ARCHIVE in loader else [*words, ARCHIVE]
    if kind == "kind" and name:
        return ["kind", "load", "image-archive", ARCHIVE, "--name", name]
    if kind == "k3d" and name:
        return ["k3d", "image", "import", ARCHIVE, "--cluster", name]
    if context.name == "minikube":
        return ["minikube", "image", "load", ARCHIVE]
    if context.is_for_tests and CONTAINERD.exists() and shutil.which("ctr"):
        return ["ctr", "--namespace", "k8s.io", "images", "import", ARCHIVE]
    raise UsageError(
        f"How to load images into {context.name or 'this cluster'} is not known here (kind, k3d, minikube and a "
        "containerd of this machine are): push them to a registry (deploy/kubernetes/registry/), or name a command "
        "that takes the path of an archive, for example LOADER=./load-into-my-nodes.sh."
    )


def give(source: Engine, name: str, command: list[str]) -> None:
    """Load one image. Raise FleetError."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        archive = Path(folder) / "image.tar"
        source.call("image", "save", "--output", str(archive), name)
        _run(command, archive)


def _run(command: list[str], archive: Path) -> None:
    words = [word.replace(ARCHIVE, str(archive)) for word in command]
    with archive.open("rb") as content:
        try:
            done = subprocess.run(words, stdin=content, capture_output=True, text=True, check=False)
        except OSError as error:
            raise FleetError(f"`{words[0]}` cannot be started ({error.strerror}): LOADER names another.") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it gave no reason").splitlines()[-1]
        raise FleetError(f"`{' '.join(words[:3])}` does not take the image: {said}")


def _has(source: Engine, name: str) -> bool:
    try:
        source.call("image", "inspect", "--format", "{{.Id}}", name)
    except EngineError:
        return False
    return True
