"""`make scale REPLICAS=5`: more replicas or fewer; those that stay keep every connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet import configuration, running, status
from fleet.change import converge
from fleet.errors import UsageError
from fleet.options import Options
from fleet.up import wait

if TYPE_CHECKING:
    from fleet.progress import Progress
    from fleet.state import Run


def scale(asked: Options, run: Run, progress: Progress) -> int:
    """Start or drain replicas until there are as many as asked for."""
    if asked.replicas is None:
        raise UsageError("How many replicas? For example: make scale REPLICAS=5.")
    with running.locked(run, f"`make up REPLICAS={asked.replicas}` starts the fleet.") as control:
        only = Options(asked.verb, asked.run_dir, asked.env_file, replicas=asked.replicas)
        settings = configuration.decide(only, run.recall())
        configuration.write(run, settings)
        converge(control, progress)
        wait(run, control, settings, progress)
    progress.say(status.banner(run, settings))
    return 0
