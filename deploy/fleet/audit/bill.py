"""`make sbom`: what the fleet is made of, as CycloneDX: the lock file's packages, and others' scripts in pages."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from fleet.audit import tools
from fleet.bootstrap import RUNTIME
from fleet.errors import FleetError
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

SCRIPTS = REPOSITORY / "app" / "demos" / "document" / "npm" / "package-lock.json"
NAME = "sbom.json"


def sbom(_asked: Options, run: Run, progress: Progress) -> int:
    """Write the bill of materials into the run folder."""
    run.make()
    path = run.root / NAME
    with progress.step("list what the fleet is made of") as step:
        made = bill()
        path.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
        step.note = f"{len(made['components'])} components"
    progress.say(f"{path}, CycloneDX {made['specVersion']}. Base images are not in it.")
    return 0


def bill(*, is_judged: bool = True) -> dict[str, Any]:
    """Return the bill, the same for the same locks; judged by CycloneDX' schema if asked. Raise FleetError."""
    command = [
        tools.program("cyclonedx-py"), "requirements", "--output-reproducible", "--pyproject", "pyproject.toml",
        "--validate" if is_judged else "--no-validate", "--of", "JSON", "-o", "-", RUNTIME,
    ]  # fmt: skip
    done = tools.run(command)
    if done.returncode != 0:
        raise FleetError(f"cyclonedx-py failed: {done.stderr.strip()[-200:]}")
    made: dict[str, Any] = json.loads(done.stdout)
    made["components"] = sorted([*made["components"], *scripts()], key=lambda part: str(part["name"]))
    return made


def scripts() -> list[dict[str, Any]]:
    """Return what the pages' one script of others is made from, as npm pins it."""
    locked: dict[str, dict[str, Any]] = json.loads(SCRIPTS.read_text(encoding="utf-8"))["packages"]
    return [
        _script(name.rpartition("node_modules/")[2], package)
        for name, package in locked.items()
        if name and not package.get("dev")
    ]


def _script(name: str, package: dict[str, Any]) -> dict[str, Any]:
    algorithm, _, digest = package["integrity"].partition("-")
    purl = f"pkg:npm/{name.replace('@', '%40')}@{package['version']}"
    return {
        "type": "library",
        "name": name,
        "version": package["version"],
        "bom-ref": purl,
        "purl": purl,
        "hashes": [{"alg": algorithm.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}],
    }
