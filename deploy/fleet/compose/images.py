"""The images of a fleet: its own are built from the repository, the others are there or fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.compose.engine import EngineError
from fleet.compose.project import defaults
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from fleet.compose.project import Project
    from fleet.progress import Progress

DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
BUILT = {"app": "APP_IMAGE", "edge": "EDGE_IMAGE"}
"""Target of the Dockerfile → the variable that names its image."""
BASES = ("PYTHON_IMAGE", "NGINX_IMAGE")
"""What they are built on."""
OTHERS = ("REDIS_IMAGE", "POSTGRES_IMAGE")
"""What runs as it comes."""
MIB = 1024 * 1024


def build(project: Project, target: str) -> str:
    """Build an image as far as it has changed, return its size in words.

    It gets its name when it is whole: an interrupted build leaves the one before in its place.
    """
    image, values = name(project, BUILT[target]), project.kept()
    bases = [word for base in BASES if base in values for word in ("--build-arg", f"{base}={values[base]}")]
    project.engine.call("build", "--file", str(DOCKERFILE), "--target", target, "--tag", image, *bases, str(REPOSITORY))
    return f"{int(_described(project, image, '{{.Size}}')) / MIB:.0f} MiB"


def prepare(project: Project, progress: Progress) -> None:
    """Build what is ours and fetch what is missing of others'."""
    for target in BUILT:
        with progress.step(f"build the image {target}") as step:
            step.note = build(project, target)
    for image in (name(project, variable) for variable in OTHERS):
        if not identity(project, image):
            with progress.step(f"fetch {image}"):
                project.engine.call("pull", "--quiet", image)


def name(project: Project, variable: str) -> str:
    """Return the image that a variable of compose.yaml names."""
    return project.kept().get(variable) or defaults()[variable]


def identity(project: Project, image: str) -> str:
    """Return the id of an image; nothing when the engine does not have it."""
    try:
        return _described(project, image, "{{.Id}}")
    except EngineError:
        return ""


def _described(project: Project, image: str, template: str) -> str:
    return project.engine.call("image", "inspect", "--format", template, image).strip()
