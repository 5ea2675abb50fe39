"""nginx has ended, and nobody starts it: every client is cut."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand


@contextlib.contextmanager
def down(stand: Stand) -> Iterator[None]:
    """Have the supervisor end it: one that is only killed is back within a second."""
    stand.control.stop("nginx")
    yield


DRILL = Drill(
    name="nginx-down",
    alert="NginxDown",
    also=("FanoutUnreachable",),
    text="nginx has ended and is not started again",
    breaks=down,
)
