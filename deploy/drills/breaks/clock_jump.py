"""The clock of a replica is a minute behind: what is published there looks old everywhere else."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from drills.drill import Drill
from drills.errors import DrillError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

NAME = "web-1"
BEHIND = "-60s"
LIBRARIES = ("/usr/lib", "/usr/local/lib")


def library() -> Path:
    """Return where libfaketime is. Raise DrillError."""
    for folder in LIBRARIES:
        for path in Path(folder).glob("**/libfaketime.so.1"):
            return path
    raise DrillError(f"faketime is there, and its libfaketime.so.1 is not below {' or '.join(LIBRARIES)}.")


@contextlib.contextmanager
def behind(stand: Stand) -> Iterator[None]:
    """Start the replica once with a wrong clock, while clients talk on all."""
    stand.start_once_with(NAME, LD_PRELOAD=str(library()), FAKETIME=BEHIND, DONT_FAKE_MONOTONIC="1")
    with stand.talking():
        yield


DRILL = Drill(
    name="clock-jump",
    alert="FanoutDeliveriesLate",
    text=f"the clock of {NAME} is a minute behind",
    breaks=behind,
    step="The clocks differ",
    programs=("faketime",),
)
