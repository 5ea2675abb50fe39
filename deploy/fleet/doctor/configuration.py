"""nginx' configuration as a tree: enough of its grammar to see which directive holds where."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = re.compile(r"""\s+|\#[^\n]*|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([{};])|((?:\$\{[^}]*\}|[^\s{};])+)""")
INCLUDE_DEPTH = 10
"""Files that name each other; more is a circle."""


@dataclass
class Directive:
    """One directive, with what stands in its block."""

    name: str
    values: tuple[str, ...] = ()
    parent: Directive | None = None
    block: list[Directive] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Directive]:
        """Yield every directive of a name below this one."""
        for each in self.block:
            if each.name == name:
                yield each
            yield from each.all(name)

    def own(self, name: str) -> list[Directive]:
        """Return those that stand in this block itself."""
        return [each for each in self.block if each.name == name]

    def effective(self, name: str) -> list[Directive]:
        """Return those that hold here: of the nearest block that has any."""
        at: Directive | None = self
        while at is not None:
            if found := at.own(name):
                return found
            at = at.parent
        return []

    @property
    def value(self) -> str:
        """The first value."""
        return self.values[0] if self.values else ""

    def __str__(self) -> str:
        """Return it as it stands in the file."""
        return " ".join((self.name, *self.values))


def parse(text: str, folder: Path | None = None, depth: int = 0) -> Directive:
    """Return the tree of a configuration that nginx takes; `folder` is where it includes files from."""
    root = Directive("")
    at, words = root, list[str]()
    for word, is_quoted in _tokens(text):
        if is_quoted or word not in ("{", "}", ";"):
            words.append(word)
        elif word == "}":
            at, words = at.parent or root, []
        else:
            made = Directive(words[0] if words else "", tuple(words[1:]), at)
            words = []
            if made.name == "include" and folder is not None and depth < INCLUDE_DEPTH:
                _include(made, folder, at, depth)
            else:
                at.block.append(made)
            if word == "{":
                at = made
    return root


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each word, and whether it stood in quotes."""
    for found in TOKEN.finditer(text):
        double, single, mark, word = found.groups()
        if double is not None or single is not None:
            yield double if double is not None else single, True
        elif mark or word:
            yield mark or word, False


def _include(include: Directive, folder: Path, at: Directive, depth: int) -> None:
    pattern = include.value.removeprefix(f"{folder}/").lstrip("/") if include.value.startswith("/") else include.value
    base = folder if not include.value.startswith("/") or include.value.startswith(f"{folder}/") else folder.root
    for path in sorted(type(folder)(base).glob(pattern)):
        if path.is_file():
            tree = parse(path.read_text(encoding="utf-8", errors="replace"), folder, depth + 1)
            for each in tree.block:
                each.parent = at
            at.block += tree.block
