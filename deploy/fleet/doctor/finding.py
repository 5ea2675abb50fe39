"""One thing that is wrong with the machine or with nginx, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet.progress import Progress


@dataclass(frozen=True)
class Finding:
    """A trap."""

    what: str
    """A sentence that names the value."""
    why: str
    """What it costs, with the figure."""
    do: str
    """What to type."""

    def __str__(self) -> str:
        """Return it as three lines."""
        return f"{self.what}\n  why  {self.why}\n  do   {self.do}"


def told(where: str, findings: Iterable[Finding], progress: Progress) -> bool:
    """Print what was found; return whether that was nothing."""
    found = list(findings)
    for finding in found:
        progress.say(str(finding))
    if not found:
        progress.say(f"{where}: nothing found.")
    return not found
