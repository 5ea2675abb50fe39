"""The versions of what the server reads into: Daphne, Twisted and autobahn are pinned."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from ops.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PINNED = {"daphne": "4.2.3", "twisted": "26.10.0", "autobahn": "26.10.2"}
"""As in pyproject.toml; a test holds the two together."""


def findings(installed: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """Yield each part whose version is another one."""
    for name, version in PINNED.items():
        found = _version(name) if installed is None else installed.get(name)
        if found is not None and found != version:
            yield Finding(
                "fanout.E020",
                f"{name} is {found}, the server was made for {version}.",
                "It reads fields of the three that have no public name: what waits in a buffer may be counted as "
                "nothing, and one client that never reads costs 290 MB and more.",
                f"pip install {name}=={version}",
            )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
