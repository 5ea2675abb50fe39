"""How many open files this engine can give to a container: one without root's rights has a limit of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.compose import images
from fleet.compose.engine import EngineError
from fleet.compose.project import defaults

if TYPE_CHECKING:
    from fleet.compose.project import Project

REFUSAL = "rlimit"
LIMIT = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[1])"


def fewer(project: Project) -> int | None:
    """Return the most that the engine can give; None when that is what compose.yaml asks for."""
    wanted = defaults()["NOFILE"]
    try:
        _ask(project, "--ulimit", f"nofile={wanted}:{wanted}")
    except EngineError as error:
        if REFUSAL not in str(error):
            raise
        return _ask(project)
    return None


def _ask(project: Project, *options: str) -> int:
    image = images.name(project, "APP_IMAGE")
    return int(project.engine.call("run", "--rm", "--network", "none", *options, image, "-c", LIMIT))
