"""`make up`: starts the fleet, heals it, or brings a running one to what is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet import (
    authority,
    configuration,
    descriptors,
    django,
    environment,
    nginx,
    orphans,
    packages,
    ports,
    readiness,
    status,
    tls,
    waiting,
)
from fleet.change import converge, reload_nginx
from fleet.control import Control
from fleet.down import tidy
from fleet.errors import FleetError
from fleet.hosts import tell_hosts
from fleet.state import WORKER, Run, Settings, write_private

if TYPE_CHECKING:
    from fleet.descriptors import Limits
    from fleet.options import Options
    from fleet.progress import Progress

SUPERVISOR_SECONDS = 15.0


def up(asked: Options, run: Run, progress: Progress) -> int:
    """Bring the fleet up and wait until it answers end to end."""
    limits = descriptors.raise_limit()
    variables = environment.compose(environment.given(os.environ, asked.env_file), run)
    packages.ensure(configuration.needs(variables, run), progress)
    with run.locked():
        run.make()
        run.ensure_secret_key()
        control = Control(run)
        before = run.recall()
        if control.answers() or orphans.find(run):  # what runs is let alone when it could not be started again
            with progress.step("check the settings"):
                django.manage(run, variables, "check")
        if control.answers():
            settings = _change(asked, run, control, progress)
            _tell_differences(run, variables, progress)
        else:
            settings = _start(asked, run, variables, limits, progress)
        wait(run, control, settings, progress)
    for sentence in configuration.emptied(asked, before):
        progress.say(f"  {sentence}")
    tell_hosts(settings, variables, progress)
    progress.say(status.banner(run, settings))
    return 0


def _start(asked: Options, run: Run, variables: dict[str, str], limits: Limits, progress: Progress) -> Settings:
    """Start everything, after ending what a killed supervisor left."""
    _end_leftovers(run, progress)
    own_redis = configuration.is_own_redis(variables, run)
    current = replace(run.recall(), own_redis=own_redis, descriptors=limits.descriptors)
    settings = configuration.decide(asked, current)
    tls.refuse_unusable(settings)
    ports.refuse_all_taken(settings, run)
    prepare(run, variables, progress)
    _ensure_certificate(run, settings, variables, progress)
    configuration.write(run, settings)
    with progress.step("start the supervisor"):
        _start_supervisor(run)
    nginx.taken_up(run.nginx_configuration)
    return settings


def prepare(run: Run, variables: dict[str, str], progress: Progress) -> None:
    """Do what comes once before replicas start: variables, their check, database, static files."""
    with progress.step("prepare database and static files"):
        django.manage(run, variables, "prepare")
    write_private(run.environment, environment.render(variables))


def _end_leftovers(run: Run, progress: Progress) -> None:
    left = orphans.find(run)
    if left:
        names = ", ".join(sorted({orphans.label(process, run) for process in left}))
        with progress.step("end what a killed run left") as step:
            step.note = names
            orphans.end(left, run)
    tidy(run)


def _start_supervisor(run: Run) -> None:
    """Start the supervisor as a daemon; everything else is its child."""
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(run.supervisor)],
        cwd=run.root, env=environment.inherited(os.environ, run), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0 or not waiting.until(Control(run).answers, SUPERVISOR_SECONDS):
        said = (done.stderr.strip() or readiness.last_line(run, "supervisor")).splitlines()[-1]
        raise FleetError(f"The supervisor does not start: {said}")


def _change(asked: Options, run: Run, control: Control, progress: Progress) -> Settings:
    """Bring a running fleet to what is asked for; what stays is not touched."""
    settings = configuration.decide(asked, run.recall())
    _ensure_certificate(run, settings, environment.kept(run), progress)
    is_due = configuration.write(run, settings)
    converge(control, progress)
    if is_due:
        reload_nginx(run, control, settings, progress)
    return settings


def _ensure_certificate(run: Run, settings: Settings, variables: dict[str, str], progress: Progress) -> None:
    if settings.own_certificate and settings.tls_port:
        names = authority.names(settings, variables)
        authority.ensure(authority.Files(run.tls), names, progress, authority.renew_here)


def _tell_differences(run: Run, variables: dict[str, str], progress: Progress) -> None:
    if names := environment.differences(environment.kept(run), variables):
        progress.say(
            f"  {', '.join(names)} differs from what the replicas were started with: `make restart` takes it over."
        )


def wait(run: Run, control: Control, settings: Settings, progress: Progress) -> None:
    """Wait until the fleet answers end to end. Raise FleetError that tells what does not."""
    with progress.step("wait for the replicas and the worker") as step:
        readiness.wait(run, control, [*settings.names, WORKER], step)
    with progress.step("send a message through nginx"):
        readiness.end_to_end(settings, environment.kept(run))
