"""Who may import whom, as design.md says and pyproject.toml states; and that modules are where others say they are."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

APP = Path(__file__).resolve().parents[1]
REPOSITORY = APP.parent
SERVERS = {"daphne", "twisted", "autobahn", "txaio"}
NAMED = re.compile(r"(?<![\w/.*{}%$<>-])((?:[\w-]+/)*[a-z_]\w*\.py)\b(?![(\w])")
"""A module, as comments and docstrings name one."""


def modules():
    """Every module of ours outside the tests."""
    return [path for path in APP.rglob("*.py") if path.relative_to(APP).parts[0] != "tests"]


def imported(path):
    """Yield the top names of all imports, lazy ones too, and of `import_module("…")` with a literal."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name.partition(".")[0]


def test_the_contracts_of_import_linter_are_kept(tmp_path):
    """As pyproject.toml states them."""
    command = [Path(sys.executable).with_name("lint-imports"), "--cache-dir", tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(APP)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_outside_server_imports_the_server_it_runs_on():
    """Not even inside a function: the application runs on any ASGI server."""
    guilty = {
        str(path.relative_to(APP))
        for path in modules()
        if path.relative_to(APP).parts[0] != "server" and SERVERS & set(imported(path))
    }
    assert guilty == set()


def test_the_reusable_package_imports_nothing_of_ours():
    """Nor does the server; lazy imports count."""
    ours = {path.relative_to(APP).parts[0].removesuffix(".py") for path in modules()}
    assert {"config", "demos", "fanout", "ops", "server"} <= ours
    for package in ("fanout", "server"):
        for path in (APP / package).rglob("*.py"):
            assert set(imported(path)) & ours <= {package}, path


def test_the_search_finds_what_it_looks_for(tmp_path):
    """In every way that an import can be written."""
    path = tmp_path / "guilty.py"
    path.write_text(
        "import os, a.b\nfrom c.d import e\nfrom . import f\n"
        "def lazy():\n    import g\n    importlib.import_module('h.i')\n    import_module('j')\n    __import__('k')\n"
    )
    assert set(imported(path)) == {"os", "a", "c", "g", "h", "j", "k"}


def missing(path):
    """Return the modules that a file names and that lie neither beside it nor below a folder around it."""
    around = [folder for folder in path.parents if folder.is_relative_to(REPOSITORY)]
    return {name for name in NAMED.findall(path.read_text()) if not any((folder / name).exists() for folder in around)}


def test_a_module_that_another_names_is_where_it_says():
    """`rows.py` is a neighbour, `limits/bounds.py` lies below a folder around: who moves one mends what leads there."""
    assert {str(path.relative_to(APP)): names for path in modules() if (names := missing(path))} == {}


def test_a_module_that_is_gone_is_missed():
    """As a name in words, with its folder or without; this file names both kinds."""
    assert {"rows.py", "limits/bounds.py"} <= missing(Path(__file__))
