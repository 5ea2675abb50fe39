"""Changes a running fleet: added and removed replicas are touched, the others do not notice."""

from __future__ import annotations

import os
from dataclasses import replace as with_values
from typing import TYPE_CHECKING

from fleet import configuration, environment, nginx, packages, ports, readiness, waiting
from fleet.errors import FleetError
from fleet.supervision import DRAIN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet.control import Control
    from fleet.progress import Progress
    from fleet.state import Run, Settings

SLACK_SECONDS = 5.0  # the supervisor kills what has not ended in its time; then it has ended
RELOAD_SECONDS = 10.0


def converge(control: Control, progress: Progress) -> None:
    """Start what the written configuration has in addition or finds down, and drain what it has no more."""
    changes = control.reread()
    if changes.removed:
        with progress.step(f"drain {', '.join(changes.removed)}"):
            stop(control, changes.removed)
            for name in changes.removed:
                control.remove(name)
    for name in changes.added:
        control.add(name)
    _revive(control)


def _revive(control: Control) -> None:
    """Start what has given up or waits long for its next try."""
    for process in control.processes().values():
        if process.state == "BACKOFF":
            control.stop(process.name)
        if process.is_down or process.state == "BACKOFF":
            control.start(process.name)


def stop(control: Control, names: Sequence[str]) -> None:
    """End programs side by side and wait for the last. Raise FleetError when one does not end."""
    for name in names:
        control.stop(name)
    if not waiting.until(lambda: not control.still_up(names), DRAIN_SECONDS + SLACK_SECONDS):
        raise FleetError(f"{', '.join(control.still_up(names))} does not end: `make down` ends it for good.")


def replace(control: Control, name: str, *, changed: bool) -> None:
    """End a replica, drained, and start it anew, with its new command line if that has changed."""
    stop(control, [name])
    if changed:
        control.remove(name)
        control.add(name)
    else:
        control.start(name)


def reload_nginx(run: Run, control: Control, settings: Settings, progress: Progress) -> None:
    """Let nginx take up its new configuration; open sockets stay with the old workers."""
    if ports.is_in_its_own_way(settings):
        _let_go(run, control, settings, progress)
    with progress.step("reload nginx"):
        control.signal("nginx", "HUP")
        variables = environment.kept(run)

        def answers() -> bool:
            return ports.listens(settings) and readiness.answering(settings, variables) is not None

        if not waiting.until(answers, RELOAD_SECONDS):
            raise FleetError(
                f"nginx does not answer on {ports.first(settings)}:{settings.port} after its reload: "
                f"{readiness.last_line(run, 'nginx')}{os.linesep}`make restart` tries again."
            )
        nginx.taken_up(run.nginx_configuration)


def _let_go(run: Run, control: Control, settings: Settings, progress: Progress) -> None:
    """Have nginx listen elsewhere for a moment: it takes up new addresses before it lets go of the old ones."""
    path, binary = run.nginx_configuration, packages.require("nginx")
    text = path.read_text(encoding="utf-8")
    place = ports.LOOPBACKS[0]
    elsewhere = with_values(
        configuration.edge(run, settings), bind=(place,), port=ports.free(place, settings.port), tls=None
    )
    with progress.step("let nginx leave its old addresses"):
        nginx.write(path, nginx.render(elsewhere), binary)
        control.signal("nginx", "HUP")
        waiting.until(lambda: not ports.is_in_its_own_way(settings), RELOAD_SECONDS)
        nginx.write(path, text, binary)
