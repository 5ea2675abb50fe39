"""`manage.py prepare`, as `make up` runs it."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ops.management.commands.prepare import COLLECTED

APP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of the fleet that is prepared."""
    return tmp_path_factory.mktemp("fleet")


@pytest.fixture(scope="module")
def prepare(folder):
    """Runs it for the folder."""

    def run(**variables):
        return subprocess.run(
            [sys.executable, "manage.py", "prepare"],
            cwd=APP, capture_output=True, text=True, check=False, umask=0o022,
            env={
                "PATH": os.environ["PATH"],
                "FANOUT_DATABASE": f"sqlite:///{folder}/db.sqlite3",
                "FANOUT_STATIC_ROOT": str(folder / "static"),
                **variables,
            },
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def prepared(prepare):
    """What it said the first time, once for all: to collect takes a core two seconds."""
    return prepare()


def test_a_new_fleet_gets_a_database_and_static_files(prepared, folder):
    """The database for its owner alone, the files hashed, compressed and for everybody."""
    done = prepared
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    database = folder / "db.sqlite3"
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM django_session").fetchone() == (0,)
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    files = [path for path in (folder / "static").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}
    assert [path for path in files if path.suffix == ".gz"]
    assert (folder / "static" / "staticfiles.json").exists()


@pytest.mark.slow
def test_static_files_are_collected_when_one_has_changed_and_not_otherwise(prepared, prepare, folder):
    """What says so is the content, not a date."""
    manifest, collected = (folder / "static" / name for name in ("staticfiles.json", COLLECTED))
    os.utime(manifest, (1, 1))
    assert prepare().returncode == 0
    assert manifest.stat().st_mtime == 1
    collected.write_text("of other files")
    assert prepare().returncode == 0
    assert manifest.stat().st_mtime > 1
    assert collected.read_text() != "of other files"


def test_bad_settings_are_told_before_anything_is_made(prepare, tmp_path):
    """Neither database nor files."""
    made = {"FANOUT_DATABASE": f"sqlite:///{tmp_path}/db.sqlite3", "FANOUT_STATIC_ROOT": f"{tmp_path}/static"}
    done = prepare(FANOUT_REDIS_URL="redis://127.0.0.1", **made)
    assert done.returncode != 0
    assert "FANOUT_REDIS_URLS" in done.stderr
    assert not list(tmp_path.iterdir())
