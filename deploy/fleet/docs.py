"""Holds the documents and the tree together: every link, verb, value, file and test that they name is there."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from typing import TYPE_CHECKING

from fleet.options import CHAOS, REPOSITORY, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
VERB = re.compile(r"(?:`|^ *)make ([a-z][a-z0-9-]*)", re.MULTILINE)
VALUES = re.compile(r"(?:`|^ *)make ([a-z][a-z0-9-]*)((?: +[A-Z_]+=[\w,-]*)+)", re.MULTILINE)
TARGET = re.compile(r"^([a-z0-9-]+):.*##", re.MULTILINE)
SCRIPT = re.compile(r"(?<![\w/.-])((?:app|deploy|loadtest|nginx|k8s)/[\w./-]+\.\w+)")
MODULE = re.compile(r"`([\w/]+\.(?:py|lua|js))`")
TEST = re.compile(r"\b(app/tests/[\w/]+\.py)::([\w:]+)")
SELECTION = re.compile(r"""[\s"']-k (\w+)""")
PART = re.compile(r"--only (\w+)")
COMMAND = re.compile(r"\bmanage\.py ([a-z_]+)")
OTHERS_COMMANDS = ("check", "createsuperuser", "migrate", "runserver", "runworker")
"""Of Django and Channels."""
VARIABLE = re.compile(r"\bFANOUT_[A-Z_]+[A-Z]\b")
SETTINGS = (".env.example", "app/config/settings.py")
"""What knows all variables, and all of Django's settings that are ours."""
LENGTHS = (("README.md", 200), ("deploy/decisions/*.md", 40))
"""Lines that a document has at most."""


def documents() -> list[Path]:
    """Return every Markdown file that git knows."""
    return [REPOSITORY / name for name in _files("*.md")]


def problems() -> list[str]:
    """Return a sentence for each thing that a document names and that is not there."""
    found = [problem for document in documents() for problem in problems_of(document)]
    lengths = ((path, _lines(path), most) for pattern, most in LENGTHS for path in REPOSITORY.glob(pattern))
    return found + [
        f"{path.relative_to(REPOSITORY)}: {lines} lines, and {most} are the most."
        for path, lines, most in lengths
        if lines > most
    ]


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def problems_of(document: Path) -> list[str]:
    """Return a sentence for each thing that one document names and that is not there."""
    text = document.read_text("utf-8")
    missing = (
        *_missing_links(document, text), *_missing_verbs(text), *_missing_words(text), *_missing_files(text),
        *_missing_tests(text),
    )  # fmt: skip
    name = document.relative_to(REPOSITORY) if document.is_relative_to(REPOSITORY) else document.name
    return [f"{name}: {sentence}" for sentence in missing]


def tests_in(path: Path) -> list[str]:
    """Return the names of the tests in a file, those of a class behind its name."""
    found = []
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.ClassDef():
                found += [f"{node.name}::{each.name}" for each in node.body if isinstance(each, _FUNCTIONS)]
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found.append(node.name)
    return [name for name in found if name.rpartition("::")[2].startswith("test_")]


_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def _missing_links(document: Path, text: str) -> Iterator[str]:
    for path, anchor in LINK.findall(text):
        target = document.parent / path if path else document
        if not target.exists():
            yield f"the link {path} leads nowhere."
        elif anchor and anchor not in {_anchor(heading) for heading in HEADING.findall(target.read_text("utf-8"))}:
            yield f"the link {path}#{anchor} leads to no heading."


def _anchor(heading: str) -> str:
    """Return what a link to a heading ends in, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _missing_verbs(text: str) -> Iterator[str]:
    verbs = TARGET.findall((REPOSITORY / "Makefile").read_text("utf-8"))
    for verb in VERB.findall(text):
        if verb not in verbs:
            yield f"`make {verb}` is no verb of the Makefile."
    for verb, given in VALUES.findall(text):
        for name, value in (each.split("=") for each in given.split()):
            if name not in VARIABLES:
                yield f"`make {verb} {name}=` is told nothing: there is no such variable."
            if name == "WHAT" and not {*value.split(",")} <= {*CHAOS}:
                yield f"`make chaos` knows no {value}."
            if verb == "drill" and name == "NAME":
                yield from _absent(f"deploy/drills/breaks/{value.replace('-', '_')}.py", f"drill {value}")


def _missing_words(text: str) -> Iterator[str]:
    """Parts of the benchmark, commands of manage.py, variables."""
    for part in PART.findall(text):
        yield from _absent(f"loadtest/bench/parts/{part}.py", f"part {part} of the benchmark")
    for command in COMMAND.findall(text):
        if command not in OTHERS_COMMANDS and not _files(f"app/*/management/commands/{command}.py"):
            yield f"there is no command `manage.py {command}`."
    known = VARIABLE.findall("".join((REPOSITORY / name).read_text("utf-8") for name in SETTINGS))
    for variable in VARIABLE.findall(text):
        if variable not in known:
            yield f"there is no variable {variable}."


def _missing_files(text: str) -> Iterator[str]:
    for path in SCRIPT.findall(text):
        yield from _absent(path, path)
    for module in MODULE.findall(text):
        if not any(f"/{path}".endswith(f"/{module}") for path in _files()):
            yield f"there is no module {module}."


def _missing_tests(text: str) -> Iterator[str]:
    for path, name in TEST.findall(text):
        if (REPOSITORY / path).exists() and name not in tests_in(REPOSITORY / path):
            yield f"{path} has no {name}."
    for word in SELECTION.findall(text):
        if not any(word in name for name in _selectable()):
            yield f"`-k {word}` selects no test."


@cache
def _selectable() -> list[str]:
    """Return what pytest looks at for `-k`: each test's name behind that of its file."""
    return [f"{path}::{name}" for path in _files("app/tests/*test_*.py") for name in tests_in(REPOSITORY / path)]


def _absent(path: str, what: str) -> Iterator[str]:
    if not (REPOSITORY / path).exists():
        yield f"there is no {what}."


@cache
def _files(*patterns: str) -> list[str]:
    """Return the files that git knows, or would."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    return [name for name in names if name and (REPOSITORY / name).exists()]
