"""What keeps a tree from being a release."""

import re
import zipfile

import pytest

from fleet import release

CHANGELOG = "# Changelog\n\n## [1.2.0] - 2026-11-26\n\n### Added\n\n- all\n\n## [1.1.0] - 2026-01-01\n"


def test_what_belongs_together_is_a_release():
    """The version is the changelog's newest, dated, not yet tagged, all of it committed."""
    assert release.problems("1.2.0", CHANGELOG, ["v1.1.0"], "") == []


@pytest.mark.parametrize(
    ("version", "changelog", "tags", "changed", "said"),
    [
        ("1.3.0", CHANGELOG, [], "", "newest version is 1.2.0"),
        ("1.2.0", "nothing", [], "", "newest version is none"),
        ("1.2.0", CHANGELOG.replace("2026-11-26", "unreleased"), [], "", "1.2.0 is unreleased"),
        ("1.2.0", CHANGELOG, ["v1.2.0"], "", "a tag v1.2.0 already"),
        ("1.2.0", CHANGELOG, [], " M README.md\n", "not committed:\n M README.md"),
    ],
)
def test_what_does_not_is_told(version, changelog, tags, changed, said):
    """Each in a sentence."""
    [problem] = release.problems(version, changelog, tags, changed)
    assert said in problem


@pytest.mark.slow
def test_the_wheel_holds_what_the_package_needs(tmp_path, monkeypatch):
    """Scripts for Redis, static files and descriptions, and none of the tests; what it lacks is named."""
    assert release.wheel_problems(tmp_path) == []
    [wheel] = tmp_path.glob("*.whl")
    held = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in held if not re.match(r"fanout(_stack-[\d.]+\.dist-info)?/", name)]
    monkeypatch.setattr(release.zipfile.ZipFile, "namelist", lambda _: ["fanout/__init__.py"])
    (tmp_path / "again").mkdir()
    [problem] = release.wheel_problems(tmp_path / "again")
    assert "fanout/openapi.json" in problem
