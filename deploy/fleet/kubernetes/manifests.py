"""The files of `k8s/`: where they are, and the version that they are for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet.errors import FleetError
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = REPOSITORY / "k8s"
LOAD = REPOSITORY / "loadtest" / "job.yaml"
PACKAGE = REPOSITORY / "app" / "fanout" / "__init__.py"
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
IMAGE = re.compile(r"^\s*(?:- )?image: (\S+)$", re.MULTILINE)
OURS = ("fanout-app", "fanout-edge", "fanout-load")
"""Names of the images that are built here."""
JOBS = ("secrets", "migrate")
"""Names of the Jobs, before the version."""


def version() -> str:
    """Return the version of the application."""
    found = VERSION.search(PACKAGE.read_text(encoding="utf-8"))
    if found is None:
        raise FleetError(f"{PACKAGE} names no __version__.")
    return found[1]


def files() -> list[Path]:
    """Return the manifests in the order in which kubectl takes them."""
    return sorted(FOLDER.glob("*.yaml"))


def text(of: str | None = None) -> str:
    """Return all manifests as one stream, `of` another version than they are for."""
    whole = "\n---\n".join(path.read_text(encoding="utf-8") for path in files())
    return whole if of is None else at(whole, of)


def at(manifest: str, other: str) -> str:
    """Return a manifest as another version has it: other images, other Jobs."""
    tagged = re.sub(rf"({'|'.join(OURS)}):{re.escape(version())}(?![\w.])", rf"\g<1>:{other}", manifest)
    return re.sub(
        rf"name: ({'|'.join(JOBS)})-{label(version())}$", rf"name: \g<1>-{label(other)}", tagged, flags=re.MULTILINE
    )


def label(of: str) -> str:
    """Return a version as the name of a Job has it: such a name becomes a host's, in which a dot is no letter."""
    return of.replace(".", "-").lower()


def job(name: str, of: str | None = None) -> str:
    """Return the whole name of a Job of a version."""
    return f"{name}-{label(of or version())}"


def images() -> list[str]:
    """Return every image that is named, each once; the load test's too."""
    streams = (text(), LOAD.read_text(encoding="utf-8"))
    return list(dict.fromkeys(name for stream in streams for name in IMAGE.findall(stream)))
