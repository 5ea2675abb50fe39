"""A replica starts with a database that lacks a migration: it waits for it and says `starting`."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

NAME = "web-1"
TAKE_BACK = ("migrate", "auth", "0011", "--verbosity", "0")
"""Django's own last migration of its accounts: a longer name, which is no loss to take back."""


@contextlib.contextmanager
def unmigrated(stand: Stand) -> Iterator[None]:
    """Take a migration back and kill a replica: the one that takes its place asks for the schema, the others have."""
    stand.manage(*TAKE_BACK)
    os.kill(stand.run.pid(NAME) or 0, signal.SIGKILL)
    yield


DRILL = Drill(
    name="replica-not-ready",
    alert="FanoutReplicaNotReady",
    text=f"{NAME} starts with a database that lacks a migration",
    breaks=unmigrated,
    step="Migrations are missing",
)
