"""Runs `manage.py` with the variables that the replicas will have."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from fleet import environment
from fleet.errors import FleetError
from fleet.supervision import APP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet.state import Run

REFUSAL = "Configuration error: "  # how config/env.py begins its sentence
SAID_LINES = 20


def manage(run: Run, variables: Mapping[str, str], *arguments: str) -> None:
    """Run a management command. Raise FleetError with what it said when it fails."""
    environ = {**environment.inherited(os.environ, run), **variables}
    del environ[environment.MARK]
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=APP, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise FleetError(reason(arguments[0], done.stderr.strip() or done.stdout.strip()))


def reason(command: str, said: str) -> str:
    """Return the one sentence about a refused variable, or what else the command said."""
    lines = said.splitlines()
    refusals = [line.removeprefix(REFUSAL) for line in lines if line.startswith(REFUSAL)]
    return refusals[0] if refusals else "\n".join([f"manage.py {command} failed:", *lines[-SAID_LINES:]])
