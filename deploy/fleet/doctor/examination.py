"""`make doctor`: looks at the machine, at nginx' configuration, at the settings and at Redis; changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import configuration as deciding
from fleet import environment, readiness
from fleet import nginx as rendering
from fleet.descriptors import raise_limit
from fleet.doctor import machine, manifests, nginx
from fleet.doctor.configuration import parse
from fleet.doctor.finding import told
from fleet.errors import FAILED, UsageError
from fleet.supervision import APP

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run


def doctor(asked: Options, run: Run, progress: Progress) -> int:
    """Print what is wrong, 0 when nothing is. `ARGS=/etc/nginx/nginx.conf`: that file, and nothing else."""
    if asked.arguments:
        return of_files(asked, progress)
    limit = raise_limit().descriptors
    settings = replace(deciding.decide(asked, run.recall()), descriptors=limit)
    of_machine = [*machine.findings(run, settings, limit), *machine.of_env_file(asked.env_file)]
    is_well = told("Machine", of_machine, progress)
    text = rendering.render(deciding.edge(run, settings))
    is_well &= told("nginx", nginx.findings(parse(text)), progress)
    answers = [readiness.state(run, name) or {} for name in settings.names]
    found = [*machine.of_limits(environment.kept(run)), *machine.of_addresses(answers)]
    is_well &= told("Clients", found, progress)
    sys.stdout.flush()
    done = subprocess.run([sys.executable, "manage.py", "doctor"], cwd=APP, env=_variables(asked, run), check=False)
    return 0 if is_well and done.returncode == 0 else FAILED


def of_files(asked: Options, progress: Progress) -> int:
    """Look at configurations of nginx, Compose files, manifests and folders of these that were named."""
    is_well = True
    for name in asked.arguments:
        path = Path(name).expanduser()
        if manifests.is_one(path):
            is_well &= told(name, manifests.of_path(path), progress)
            continue
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UsageError(
                f"{name} cannot be read ({error.strerror}): name a configuration of nginx, a Compose file or manifests."
            ) from None
        tree = parse(text, path.resolve().parent)
        if not nginx.is_one(tree):
            raise UsageError(f"{name} is no configuration of nginx: none of {', '.join(nginx.PARTS)} stands in it.")
        is_well &= told(name, nginx.findings(tree), progress)
    return 0 if is_well else FAILED


def _variables(asked: Options, run: Run) -> dict[str, str]:
    """Return the variables that replicas would start with; before the first start there is no secret key."""
    variables = environment.compose(environment.given(os.environ, asked.env_file), run)
    if variables.get("FANOUT_SECRET_KEY_FILE") == str(run.secret_key) and not run.secret_key.exists():
        del variables["FANOUT_SECRET_KEY_FILE"]
    return {**environment.inherited(os.environ, run), **variables}
