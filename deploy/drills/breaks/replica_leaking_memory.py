"""A replica has leaked memory for weeks; here it is taken at once, when the replica starts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

NAME = "web-1"
LEAK_MIB = 420
"""Over the 400 MiB of the alert; a replica itself takes some 70."""
LEAK = f"leaked = bytearray(b'x') * ({LEAK_MIB} << 20)\n"
"""Python runs `sitecustomize` before anything else: the replica's own code is as it is."""


@contextlib.contextmanager
def leaking(stand: Stand) -> Iterator[None]:
    """Have the replica start once with a leak; who starts after it has none."""
    folder = stand.folder / "leak"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(LEAK, encoding="utf-8")
    stand.start_once_with(NAME, PYTHONPATH=str(folder))
    yield


DRILL = Drill(
    name="replica-leaking-memory",
    alert="FanoutMemoryHigh",
    text=f"{NAME} has leaked {LEAK_MIB} MiB",
    breaks=leaking,
    step="A leak",
)
