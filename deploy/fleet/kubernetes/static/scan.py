"""checkov's policies on the manifests, from an environment of its own: what it pins, the stack needs newer."""

from __future__ import annotations

from fleet.audit import tools
from fleet.kubernetes import manifests
from fleet.options import REPOSITORY

LOCK = REPOSITORY / "deploy" / "scan" / "requirements.txt"
CONFIGURATION = REPOSITORY / "deploy" / "scan" / "checkov.yaml"
ENVIRONMENT = REPOSITORY / ".run" / "scan"


def problems() -> list[str]:
    """Return what the policies refuse. Raise FleetError when the scanner cannot be had."""
    program = tools.ensure(ENVIRONMENT, LOCK) / "checkov"
    files = [word for path in (*manifests.files(), manifests.LOAD) for word in ("--file", str(path))]
    command = [str(program), "--config-file", str(CONFIGURATION), *files]
    done = tools.run(command)
    if done.returncode == 0 and "Passed checks: 0" not in done.stdout:
        return []
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines or ["checkov looked at nothing."]
