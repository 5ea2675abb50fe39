"""What a trial leaves: a table of what was done and seen, with commit and versions, in deploy/kubernetes/results.md."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.options import REPOSITORY

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from fleet.kubernetes.trial.items import Item
    from fleet.kubernetes.trial.proof import Flow, Outcome

FILE = REPOSITORY / "deploy" / "kubernetes" / "results.md"
HEAD = ("what", "seen", "proof", "deliveries", "lost", "doubled", "out of order", "resets", "seconds")


@dataclass(frozen=True)
class Done:
    """One item, done."""

    item: Item
    seen: str
    outcome: Outcome | None
    seconds: float
    failure: str = ""

    @property
    def is_well(self) -> bool:
        """Return whether it was as it should be."""
        return not self.failure and (self.outcome is None or self.outcome.is_proved)

    def sentence(self) -> str:
        """Return what was seen, or what was wrong."""
        if self.failure:
            return self.failure
        return self.seen if self.is_well or self.outcome is None else f"{self.seen}. {self.outcome.sentence}"


@dataclass(frozen=True)
class Circumstances:
    """Of a trial."""

    began: dt.datetime
    commit: str
    """That was tried; nothing where git knows none."""
    images: str
    """The commit that the images were built of."""
    server: str
    """Kubernetes' version."""
    flow: Flow


def text(done: Sequence[Done], of: Circumstances, client: str) -> str:
    """Return the page."""
    whole = sum(each.is_well for each in done)
    lines = [
        "# What `make test-k8s` saw",
        "",
        "Written by it; the items are in `deploy/fleet/kubernetes/trial/items.py`, what each column means in",
        "`loadtest/README.md`. Publications flow while an item is done, from clients that resume, through the Service.",
        "",
        f"- {of.began:%Y-%m-%d %H:%M} UTC, commit {of.commit or 'unknown'}, images of {of.images or 'unknown'}",
        f"- Kubernetes {of.server}, kubectl {client}, {platform.system()} {platform.release()}",
        f"- {of.flow.users} clients, {of.flow.rate} publications a second",
        f"- {whole} of {len(done)} as they should be",
        "",
        _row(HEAD),
        _row(["---", "---", "---", *["--:"] * 6]),
        *(_row(_cells(each)) for each in done),
    ]
    return "\n".join(lines) + "\n"


def _cells(done: Done) -> list[str]:
    found = done.outcome
    if found is None:
        return [done.item.title, done.sentence(), "-" if done.is_well else "failed", *["-"] * 5, f"{done.seconds:.0f}"]
    counts = (found.received, found.lost, found.doubled, found.disordered, found.resets)
    return [done.item.title, done.sentence(), found.verdict, *(f"{count:,}" for count in counts), f"{done.seconds:.0f}"]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"
