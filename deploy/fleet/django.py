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
FOR_THE_OWNER, AS_IT_IS = 0o077, -1  # of subprocess' umask


def manage(run: Run, variables: Mapping[str, str], *arguments: str) -> None:
    """Run a management command. Raise FleetError with what it said when it fails.

    What it writes is for its owner alone, as what the supervisor's processes write is: a database has sessions in it.
    `prepare` sees to that itself: static files are for everybody, as far as the caller's umask lets them, since an
    nginx of another account may serve them.
    """
    environ = {**environment.inherited(os.environ, run), **variables}
    del environ[environment.MARK]
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        umask=AS_IT_IS if arguments[0] == "prepare" else FOR_THE_OWNER,
        cwd=APP, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise FleetError(reason(arguments[0], done.stderr.strip() or done.stdout.strip()))


def reason(command: str, said: str) -> str:
    """Return the one sentence about a refused variable, or what else the command said."""
    lines = said.splitlines()
    refusals = [line.removeprefix(REFUSAL) for line in lines if line.startswith(REFUSAL)]
    return refusals[0] if refusals else "\n".join([f"manage.py {command} failed:", *lines[-SAID_LINES:]])
