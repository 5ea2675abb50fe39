"""`make images`: builds what k8s/ names, tagged by version and by commit."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from fleet.compose.engine import Engine
from fleet.errors import FleetError
from fleet.kubernetes import manifests
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

PROGRAMS = ("docker", "podman")
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
BASES = ("PYTHON_IMAGE", "NGINX_IMAGE")
"""Variables that name what is built on; deploy/Dockerfile has their defaults."""
MIB = 1024 * 1024


def images(_asked: Options, _run: Run, progress: Progress) -> int:
    """Build the three images. Raise FleetError when no engine answers or a build fails."""
    builder, version = engine(), manifests.version()
    tags = [version, f"{version}-{commit()}"] if commit() else [version]
    for name in manifests.OURS:
        with progress.step(f"build the image {name}") as step:
            build(builder, name, tags)
            size = builder.call("image", "inspect", "--format", "{{.Size}}", f"{name}:{version}").strip()
            step.note = f"{int(size) / MIB:.0f} MiB"
    progress.say(
        f"\nBuilt with the tags {' and '.join(tags)}.\n"
        "Next: make k8s-load (a cluster on this machine), or push them to a registry (deploy/kubernetes/registry/); "
        "then kubectl apply -f k8s"
    )
    return 0


def build(builder: Engine, name: str, tags: list[str]) -> None:
    """Build one image as far as it has changed."""
    bases = [word for base in BASES if os.environ.get(base) for word in ("--build-arg", f"{base}={os.environ[base]}")]
    named = [word for tag in tags for word in ("--tag", f"{name}:{tag}")]
    target = name.removeprefix("fanout-")
    builder.call("build", "--file", str(DOCKERFILE), "--target", target, *named, *bases, str(REPOSITORY))


def engine() -> Engine:
    """Return the first engine that answers. Raise FleetError with what the first one said."""
    engines = [Engine(program) for program in PROGRAMS]
    said = [each.absence() for each in engines]
    for each, absence in zip(engines, said, strict=True):
        if not absence:
            return each
    raise FleetError(said[0].replace(", or run without one: MODE=native", "") + " Podman does not answer either.")


def built() -> str:
    """Return the commit of which this version's images were built, as their other tag says; nothing when none does."""
    version = manifests.version()
    said = engine().call("image", "inspect", "--format", '{{join .RepoTags " "}}', f"{manifests.OURS[0]}:{version}")
    tags = [name.rpartition(":")[2] for name in said.split()]
    return next((tag.removeprefix(f"{version}-") for tag in tags if tag.startswith(f"{version}-")), "")


def commit() -> str:
    """Return the commit that is checked out, marked when the files differ from it; nothing where git knows none."""
    try:
        found = _git("rev-parse", "--short", "HEAD")
        return f"{found}-dirty" if _git("status", "--porcelain") else found
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
