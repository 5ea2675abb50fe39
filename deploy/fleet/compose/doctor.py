"""`make doctor` over a container engine: nginx' configuration here, settings and Redis as a replica sees them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from fleet.compose import containers, replicas
from fleet.compose.override import configuration
from fleet.doctor import machine, nginx
from fleet.doctor.configuration import parse
from fleet.doctor.finding import told
from fleet.errors import FAILED, NothingRunsError

if TYPE_CHECKING:
    from fleet.compose.project import Project
    from fleet.options import Options
    from fleet.progress import Progress


def doctor(_asked: Options, project: Project, progress: Progress) -> int:
    """Print what is wrong; 0 when nothing is."""
    running = [container for container in containers.listed(project, replicas.WEB) if container.is_up]
    if not running:
        raise NothingRunsError("No replica runs, and the settings are looked at in one: `make up` starts them.")
    settings = project.recall()
    is_well = told("Proxies", machine.of_proxies(settings.trusted_proxies), progress)
    text = configuration(settings)
    is_well &= told("nginx", nginx.findings(parse(text)), progress)
    answers = [replica.said for replica in replicas.asked(project, running)]
    is_well &= told("Clients", machine.of_addresses(answers), progress)
    sys.stdout.flush()
    command = [project.engine.program, "exec", running[0].id, "python", "manage.py", "doctor"]
    done = subprocess.run(command, env=project.engine.environ, check=False)
    return 0 if is_well and done.returncode == 0 else FAILED
