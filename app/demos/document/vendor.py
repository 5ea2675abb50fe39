"""The third-party JavaScript of the page: made from npm's packages as one ES module, and told what it was made of.

`npm/package-lock.json` pins each package by version and checksum; the same lock makes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
NPM = HERE / "npm"
VENDOR = HERE / "static" / "document" / "vendor"
MODULE, LICENCES, RECORD = "yjs.js", "LICENSE.txt", "yjs.json"
PACKAGES = ("yjs", "lib0", "isomorphic.js")
"""What ends in the module."""
BUNDLER = "esbuild"
FLAGS = ("--bundle", "--format=esm", "--platform=browser", "--target=es2022", "--minify")
NPM_SECONDS = 300


class VendorError(Exception):
    """The module can't be made; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Made:
    """The files of `vendor/`, by name."""

    files: dict[str, bytes]

    @property
    def stale(self) -> list[str]:
        """The names of those that lie there otherwise, or not at all."""
        return [
            name
            for name, content in self.files.items()
            if not (VENDOR / name).is_file() or (VENDOR / name).read_bytes() != content
        ]

    def write(self) -> None:
        """Put them there."""
        VENDOR.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (VENDOR / name).write_bytes(content)


def make(*, newest: bool = False) -> Made:
    """Make the files from npm's packages, as the lock file pins them, or the newest that package.json allows.

    Those are then in the lock file. Raise VendorError.
    """
    if shutil.which("npm") is None:
        raise VendorError("npm is not installed: it comes with Node.js (Debian: apt-get install npm).")
    with tempfile.TemporaryDirectory(prefix="vendor-") as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(NPM / name, work)
        _run(work, "npm", "update" if newest else "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        made = _bundled(work)
        if newest:
            shutil.copy(work / "package-lock.json", NPM)
    return made


def _bundled(work: Path) -> Made:
    modules = work / "node_modules"
    versions = {name: _version(modules / name) for name in (*PACKAGES, BUNDLER)}
    banner = f"/*! yjs {versions['yjs']}, MIT licence: LICENSE.txt. Made by `manage.py vendor`; do not edit. */"
    entry = modules / "yjs" / "dist" / "yjs.mjs"
    _run(work, str(modules / ".bin" / BUNDLER), str(entry), *FLAGS, f"--banner:js={banner}", f"--outfile={MODULE}")
    module = (work / MODULE).read_bytes()
    record = {
        "packages": {name: versions[name] for name in PACKAGES},
        "made_by": f"{BUNDLER} {versions[BUNDLER]}",
        "flags": FLAGS,
        "sha256": hashlib.sha256(module).hexdigest(),
    }
    licences = "\n".join(
        f"{name} {versions[name]}\n\n{(modules / name / 'LICENSE').read_text(encoding='utf-8')}" for name in PACKAGES
    )
    return Made(
        {
            MODULE: module,
            LICENCES: licences.encode(),
            RECORD: json.dumps(record, indent=2).encode() + b"\n",
        }
    )


def _version(package: Path) -> str:
    return str(json.loads((package / "package.json").read_text(encoding="utf-8"))["version"])


def _run(work: Path, *command: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - npm, and the bundler that it has installed
            command, cwd=work, capture_output=True, text=True, check=False, timeout=NPM_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise VendorError(f"{command[0]} did not end within {NPM_SECONDS} s: is the registry reachable?") from None
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise VendorError(f"{Path(command[0]).name} failed: {' '.join(words[:3])}")
