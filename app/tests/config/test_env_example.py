"""`.env.example` and the code name the same variables, and only one module reads them."""

import ast
import re
from pathlib import Path

import pytest

from config.env import PREFIX, REPOSITORY, VARIABLES

APP = REPOSITORY / "app"
NAMERS = {"config/asgi.py", "manage.py"}
"""They set DJANGO_SETTINGS_MODULE, as Django wants it."""
READERS = {*NAMERS, "config/env.py", "ops/secrets.py"}
"""The last runs without Django, in a pod whose API server is told by Kubernetes' own variables."""
ASSIGNMENT = re.compile(rf"#?\s*({PREFIX}\w+)=(.*)")


@pytest.fixture(scope="module")
def example():
    """The lines of the file."""
    return (REPOSITORY / ".env.example").read_text().splitlines()


def test_the_example_and_the_code_name_the_same_variables(example):
    """Each once, in the same order."""
    assert [match[1] for line in example if (match := ASSIGNMENT.fullmatch(line))] == list(VARIABLES)


def test_the_example_explains_every_variable(example):
    """A sentence stands in the comment above, which may be shared by neighbours."""
    for number, line in enumerate(example):
        if ASSIGNMENT.fullmatch(line):
            above = number - 1
            while ASSIGNMENT.fullmatch(example[above]):
                above -= 1
            assert re.fullmatch(r"# .*\w.*", example[above]), f"nothing explains {line!r}"


def test_the_example_as_it_stands_changes_nothing(example):
    """A copy of it may be sourced: every variable is a comment."""
    assert all(line == "" or line.startswith("#") for line in example)


def reads_environment(path: Path) -> bool:
    """Whether a module touches os.environ, os.getenv or their like, under whatever name."""
    names = {"environ", "environb", "getenv", "getenvb"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in names:
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os" and names & {alias.name for alias in node.names}:
            return True
    return False


def test_one_module_reads_the_environment():
    """All others are told by it."""
    modules = [path for path in APP.rglob("*.py") if "tests" not in path.relative_to(APP).parts]
    readers = {str(path.relative_to(APP)) for path in modules if reads_environment(path)}
    assert readers == READERS


@pytest.mark.parametrize("reader", sorted(NAMERS))
def test_the_others_only_name_the_settings(reader):
    """`os.environ.setdefault("DJANGO_SETTINGS_MODULE", …)` and nothing else."""
    lines = [line.strip() for line in (APP / reader).read_text().splitlines() if "environ" in line]
    assert lines == ['os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")']
