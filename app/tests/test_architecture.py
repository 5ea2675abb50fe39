"""Who may import whom, as design.md says and pyproject.toml states."""

import ast
import os
import subprocess
import sys
from pathlib import Path

APP = Path(__file__).resolve().parents[1]
REPOSITORY = APP.parent
SERVERS = {"daphne", "twisted", "autobahn", "txaio"}


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
