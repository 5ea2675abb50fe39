"""The fleet that runs, for a verb that changes it; or the sentence about what is there instead."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fleet import orphans
from fleet.control import Control
from fleet.errors import FleetError, NothingRunsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet.state import Run

REMEDY = "`make up` starts the fleet."


@contextlib.contextmanager
def locked(run: Run, remedy: str = REMEDY) -> Iterator[Control]:
    """Let one command at a time change the fleet that runs. Raise FleetError when no supervisor answers."""
    if not run.root.exists():
        raise absence(run, remedy)
    with run.locked():
        control = Control(run)
        if not control.answers():
            raise absence(run, remedy)
        yield control


def absence(run: Run, remedy: str = REMEDY) -> FleetError:
    """Return the sentence about a fleet without its supervisor: what runs on, or that nothing does."""
    left = orphans.find(run) if run.root.exists() else []
    if not left:
        return NothingRunsError(f"Nothing runs. {remedy}")
    names = ", ".join(sorted({orphans.label(process, run) for process in left}))
    return FleetError(f"The supervisor is gone, {names} run on without it: `make up` heals the fleet.")
