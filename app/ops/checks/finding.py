"""One thing that is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from django.core import checks


@dataclass(frozen=True, slots=True)
class Finding:
    """A trap that the configuration is in."""

    id: str
    """`fanout.E001`: E fails, W hurts sooner or later."""
    what: str
    """A sentence that names the value."""
    why: str
    """What it costs, with the figure."""
    do: str
    """What to type."""

    @property
    def is_error(self) -> bool:
        """Whether it fails, and not only hurts."""
        return self.id.partition(".")[2].startswith("E")

    def message(self) -> checks.CheckMessage:
        """Return it as Django has it."""
        kind = checks.Error if self.is_error else checks.Warning
        return kind(f"{self.what} {self.why}", hint=self.do, id=self.id)
