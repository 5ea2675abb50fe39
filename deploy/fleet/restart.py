"""`make restart`: new code and new variables, one replica after the other, while the others serve; then the worker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fleet import configuration, environment, ports, readiness, running, status
from fleet.change import converge, reload_nginx, replace
from fleet.state import WORKER
from fleet.up import prepare, wait

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run


def restart(asked: Options, run: Run, progress: Progress) -> int:
    """Drain, start and await each replica in turn; then let nginx take up a changed configuration."""
    with running.locked(run) as control:
        own = environment.given(os.environ, asked.env_file)
        variables = environment.compose({**environment.kept(run), environment.STATE_DIR: str(run.root), **own}, run)
        current = run.recall()
        settings = configuration.decide(asked, current)
        ports.refuse_all_taken(settings, run)
        prepare(run, variables, progress)
        running_before = control.processes()
        before = [name for name in settings.names if name in running_before]
        is_due = configuration.write(run, settings)
        changed = control.reread().changed
        converge(control, progress)
        for name in before:
            with progress.step(f"restart {name}") as step:
                replace(control, name, changed=name in changed)
                readiness.wait(run, control, [name], step)
                step.note = ""
                readiness.wait_until_seen(settings, variables, name)
        if WORKER in running_before:
            with progress.step("restart the worker"):
                replace(control, WORKER, changed=WORKER in changed)
        if is_due:
            reload_nginx(run, control, settings, progress)
        wait(run, control, settings, progress)
    for sentence in configuration.emptied(asked, current):
        progress.say(f"  {sentence}")
    progress.say(status.banner(run, settings))
    return 0
