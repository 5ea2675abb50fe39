"""The exporters of Redis and nginx have ended: what they would tell of, no alert can."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.drill import Drill
from drills.prometheus import EXPORTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand


@contextlib.contextmanager
def dead(stand: Stand) -> Iterator[None]:
    """End both: nobody watches over them."""
    for name in EXPORTERS:
        exporter = stand.beside_named(name)
        exporter.kill()
        exporter.wait()
    yield


DRILL = Drill(
    name="exporter-dead",
    alert="ExporterDown",
    text="the exporters of Redis and nginx have ended",
    breaks=dead,
)
