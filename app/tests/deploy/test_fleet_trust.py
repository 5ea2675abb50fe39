import os
import stat
from pathlib import Path

import pytest

from fleet import main, trust
from fleet.errors import UsageError
from fleet.state import Run

ME, OTHER = os.geteuid(), 65533


def found(mode, owner=ME):
    return os.stat_result((stat.S_IFDIR | mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o2750])
def test_a_folder_that_its_owner_alone_changes_is_safe(mode):
    """Others may look."""
    assert trust.of_run_folder(found(mode), Path("/x")) == ""


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o702, 0o1777])
def test_a_folder_that_others_change_is_told_with_its_mode(mode):
    """The sticky bit does not help: a missing file can still be put there."""
    assert trust.of_run_folder(found(mode), Path("/x y")).startswith(f"its mode is {mode:04o}: `chmod go-w '/x y'`, or")


def test_a_folder_of_somebody_else_is_told_with_its_owner():
    """Also one that root made for a person."""
    assert trust.of_run_folder(found(0o700, OTHER), Path("/x")).startswith(f"it belongs to account {OTHER}: give a ")


def test_a_folder_above_may_be_roots_or_sticky():
    """In /tmp nobody replaces the folder of another; where everybody may, or a stranger, it is refused."""
    assert trust.of_parent(found(0o1777, 0), Path("/tmp"), {0, ME}) == ""  # noqa: S108  # no file is made
    assert trust.of_parent(found(0o775), Path("/x"), {0, ME}) == ""
    assert "/x above it has mode 0777: `chmod o-w /x`" in trust.of_parent(found(0o777), Path("/x"), {0, ME})
    assert f"/x above it belongs to account {OTHER}" in trust.of_parent(found(0o1777, OTHER), Path("/x"), {0, ME})


@pytest.mark.parametrize("verb", ["up", "scale", "restart", "down"])
@pytest.mark.parametrize("where", [".", "new/fleet"], ids=["itself", "above"])
def test_nothing_is_written_where_others_write(run, monkeypatch, capsys, verb, where):
    """One sentence, before anything is made, installed or started."""
    monkeypatch.setattr("fleet.bootstrap.ensure", lambda *_: pytest.fail("something was installed"))
    open_to_all = run.root / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setenv("RUN_DIR", str(open_to_all / where))
    assert main.main([verb]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "0777" in said
    assert list(open_to_all.iterdir()) == []


def test_a_folder_that_appears_meanwhile_is_refused(run):
    """The look comes after the making too, inside as well."""
    run.root.chmod(0o770)
    with pytest.raises(UsageError, match="mode is 0770"), run.locked():
        pass
    run.root.chmod(0o700)
    run.logs.chmod(0o777)
    with pytest.raises(UsageError, match=r"/logs is not safe .* 0777"):
        run.make()


def test_a_folder_inside_may_be_a_link(run):
    """The owner's own, to a larger disk; where it leads is looked at."""
    (run.root / "disk").mkdir(mode=0o700)
    run.logs.rmdir()
    run.logs.symlink_to(run.root / "disk")
    run.make()
    (run.root / "disk").chmod(0o777)
    with pytest.raises(UsageError, match="/disk is not safe"):
        run.make()


def test_folders_above_are_made_private(run):
    """Whatever the umask is."""
    before = os.umask(0)
    try:
        Run(run.root / "a/b").make()
    finally:
        os.umask(before)
    assert stat.S_IMODE((run.root / "a").stat().st_mode) == 0o700


def test_a_file_is_no_run_folder():
    """Said before anything is made."""
    with pytest.raises(UsageError, match=r"cannot be used \(/dev/null is no folder\)"):
        trust.refuse_foreign(Path("/dev/null/x"))


@pytest.mark.parametrize("path", ["/proc/x", "/dev/null", "/dev/null/x"])
def test_a_folder_that_cannot_be_made_is_one_sentence(path):
    """No traceback."""
    with (
        pytest.raises(UsageError, match=r"^The run folder .* cannot be used .* RUN_DIR=~/fleet\.$"),
        Run(Path(path)).locked(),
    ):
        pass
