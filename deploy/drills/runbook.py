"""The commands of a runbook, taken from its text: what a person would type, in the order in which it stands there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drills.errors import DrillError

if TYPE_CHECKING:
    from pathlib import Path

SECTION = re.compile(r"^## (?:Mitigation|Steps)$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
"""Of an alert's runbook, or of one for what is planned."""
BLOCK = re.compile(r"^```sh native\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A comment, and the commands below it."""

    comment: str
    commands: tuple[str, ...]


def mitigation(runbook: Path, begins: str | tuple[str, ...] = "") -> list[Step]:
    """Return the steps of a runbook's Mitigation for plain processes, or those whose comment begins like that.

    Raise DrillError with a sentence when there is nothing to type.
    """
    try:
        text = runbook.read_text(encoding="utf-8")
    except OSError as error:
        raise DrillError(f"The runbook {runbook} cannot be read ({error.strerror}): the alert names it.") from None
    found = [step for step in steps(text) if step.comment.startswith(begins)]
    if not any(step.commands for step in found):
        which = f" below a comment that begins with {begins!r}" if begins else ""
        raise DrillError(f"{runbook.name} has no command for native under Mitigation{which}: nobody is helped by it.")
    return found


def steps(text: str) -> list[Step]:
    """Return the steps of the first native block under Mitigation or Steps; none when there is none."""
    section = SECTION.search(text)
    block = BLOCK.search(section[1]) if section else None
    parts: list[Step] = []
    comment, commands = "", list[str]()
    for line in [*(block[1].splitlines() if block else ()), "#"]:
        if line.startswith("#"):
            if commands:
                parts.append(Step(comment, tuple(commands)))
            comment, commands = line.removeprefix("#").strip(), []
        elif line.strip():
            commands.append(line)
    return parts
