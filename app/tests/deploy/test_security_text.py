"""SECURITY.md: every row of its table names tests, and each of them is there."""

import re

import pytest

from fleet import docs
from fleet.options import REPOSITORY

TEXT = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?!who \||-)(.*) \|$", re.MULTILINE)
NAMED = re.compile(r"`([\w/.]+\.py)::([\w:]+)`")
CELLS = 4


def rows():
    """Return the cells of each row."""
    return [[cell.strip() for cell in line.split(" | ")] for line in ROW.findall(TEXT.replace("|---", "|-"))]


def test_the_table_is_there():
    """Who, what, how prevented, and the test of it."""
    assert "| who | does what | what keeps them from it | test |" in TEXT
    assert len(rows()) > 20


@pytest.mark.parametrize("cells", rows(), ids=lambda cells: " ".join(cells[:2])[:60])
def test_each_row_is_whole_and_its_tests_exist(cells):
    """A threat without a test is a wish."""
    assert len(cells) == CELLS
    assert all(cells)
    named = NAMED.findall(cells[-1])
    assert named
    assert NAMED.sub("", cells[-1]).strip() == ""
    for path, name in named:
        assert path.startswith("app/tests/")
        assert name in docs.tests_in(REPOSITORY / path), f"{path} has no {name}"


@pytest.mark.parametrize("heading", ["## Report", "## What is kept, and from whom", "## What is not"])
def test_it_says_what_is_looked_for_in_it(heading):
    """How to report, and what is out of scope."""
    assert f"\n{heading}\n" in TEXT
