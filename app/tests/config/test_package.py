"""The package `fanout` as others install it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
UV = Path(sys.executable).parent / "uv"


def test_a_wheel_holds_every_file_of_the_package(tmp_path):
    """Scripts for Redis, pages' modules and descriptions are in it as well as the code, and no test or demo."""
    source = tmp_path / "source"
    shutil.copytree(
        REPOSITORY / "app" / "fanout", source / "app" / "fanout", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    kept = {str(path.relative_to(source / "app")) for path in source.joinpath("app").rglob("*") if path.is_file()}
    subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", tmp_path, source], check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == kept
