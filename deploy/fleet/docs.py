"""Holds the documents and the tree together: every link leads somewhere, every verb and script exists."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
VERB = re.compile(r"(?:`|^)make ([a-z][a-z0-9-]*)", re.MULTILINE)
TARGET = re.compile(r"^([a-z0-9-]+):.*##", re.MULTILINE)
SCRIPT = re.compile(r"(?<![\w/.-])((?:app|deploy|loadtest|nginx|k8s)/[\w./-]+\.\w+)")


def documents() -> list[Path]:
    """Return every Markdown file that git knows."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    return [REPOSITORY / name for name in names if name]


def problems() -> list[str]:
    """Return a sentence for each thing that a document names and that is not there."""
    verbs = set(TARGET.findall((REPOSITORY / "Makefile").read_text("utf-8")))
    return [problem for document in documents() for problem in _problems_of(document, verbs)]


def _problems_of(document: Path, verbs: set[str]) -> Iterator[str]:
    text = document.read_text("utf-8")
    name = document.relative_to(REPOSITORY)
    for link in LINK.findall(text):
        if not (document.parent / link).exists():
            yield f"{name}: the link {link} leads nowhere."
    for verb in VERB.findall(text):
        if verb not in verbs:
            yield f"{name}: `make {verb}` is no verb of the Makefile."
    for path in SCRIPT.findall(text):
        if not (REPOSITORY / path).exists():
            yield f"{name}: there is no {path}."
