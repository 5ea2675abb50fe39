import ast
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from fleet import bootstrap, packages
from fleet.errors import FleetError
from fleet.options import REPOSITORY
from fleet.progress import Progress


def test_an_environment_is_stale_when_its_lock_changed():
    """Only the locks that are asked for count, and a missing stamp is stale."""
    hashes = {"requirements.txt": "a"}
    assert not bootstrap.is_stale({"requirements.txt": "a", "requirements-dev.txt": "b"}, hashes)
    assert bootstrap.is_stale({"requirements.txt": "old"}, hashes)
    assert bootstrap.is_stale({}, hashes)


def test_the_development_lock_covers_the_runtime_lock():
    """After `make test`, `make up` installs nothing."""
    assert set(bootstrap.PROVES[bootstrap.RUNTIME]) < set(bootstrap.PROVES[bootstrap.DEVELOPMENT])


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A repository without an environment, whose lock files name nothing, and a record of what was run."""
    ran = []
    for name in (bootstrap.RUNTIME, bootstrap.DEVELOPMENT):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(bootstrap, "REPOSITORY", tmp_path)
    monkeypatch.setattr(bootstrap, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv/locks.json")
    monkeypatch.setattr(bootstrap, "_run", lambda command, sentence: ran.append(command))
    monkeypatch.setattr(bootstrap, "_works", (tmp_path / ".venv").exists)
    monkeypatch.setattr(bootstrap, "_create", lambda progress: (tmp_path / ".venv").mkdir())
    return tmp_path, ran


def test_the_environment_is_made_once(fresh):
    """Hashes are required; the second time nothing runs; a changed lock is installed again."""
    repository, ran = fresh
    bootstrap.ensure(bootstrap.RUNTIME, Progress())
    assert "--require-hashes" in ran[0]
    assert ran[0][-1].endswith("/requirements.txt")
    bootstrap.ensure(bootstrap.RUNTIME, Progress())
    assert len(ran) == 1
    (repository / "requirements.txt").write_text("# new\n")
    bootstrap.ensure(bootstrap.RUNTIME, Progress())
    assert len(ran) == 2
    assert set(json.loads((repository / ".venv/locks.json").read_text())) == {"requirements.txt"}


def test_an_interrupted_installation_is_done_again(fresh, monkeypatch):
    """The stamp is written last, and removed before pip begins."""
    repository, _ = fresh
    bootstrap.ensure(bootstrap.RUNTIME, Progress())
    (repository / "requirements.txt").write_text("# new\n")

    def fail(command, sentence):
        raise FleetError(sentence)

    monkeypatch.setattr(bootstrap, "_run", fail)
    with pytest.raises(FleetError, match="pip could not install"):
        bootstrap.ensure(bootstrap.RUNTIME, Progress())
    assert not (repository / ".venv/locks.json").exists()


def test_a_missing_lock_file_is_told(fresh):
    """Not a traceback."""
    repository, _ = fresh
    (repository / "requirements.txt").unlink()
    with pytest.raises(FleetError, match=r"requirements\.txt cannot be read"):
        bootstrap.ensure(bootstrap.RUNTIME, Progress())


def test_help_needs_nothing_but_python():
    """It works with an isolated interpreter, before anything is installed."""
    deploy = packages.__file__.rpartition("/fleet/")[0]
    code = f"import sys; sys.path.insert(0, {deploy!r}); from fleet.main import main; sys.exit(main(['help']))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert "make up" in done.stdout


def test_containers_need_nothing_but_python():
    """Every verb over a container engine is read by an isolated interpreter: no package is installed for it."""
    deploy = packages.__file__.rpartition("/fleet/")[0]
    code = f"import sys; sys.path.insert(0, {deploy!r}); import fleet.compose.verbs, fleet.kubernetes.verbs"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_old_python_gets_a_sentence():
    """What it reads before the sentence has no syntax that it does not know."""
    source = (REPOSITORY / "deploy/fleet/__main__.py").read_text()
    ast.parse(source, feature_version=(3, 6))
    shown = []
    old = SimpleNamespace(version_info=(3, 9, 2), executable="python3", exit=shown.append)
    before_imports = source.partition("from fleet")[0].replace("import sys", "")
    exec(before_imports, {"sys": old})  # noqa: S102  # the file's own first lines
    (sentence,) = shown
    assert sentence.startswith("The fleet needs Python 3.11 or newer and python3 is 3.9:")
