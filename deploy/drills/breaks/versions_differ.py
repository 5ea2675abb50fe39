"""A deploy has stopped half way: one replica is of another version than the others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.drill import Drill
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

NAME = "web-1"
OTHER = f"""
import sys
sys.path.insert(0, {str(REPOSITORY / "app")!r})
import fanout
fanout.__version__ = "0.0.1"
"""
"""Python runs `sitecustomize` before anything else: the replica's own code is as it is."""


@contextlib.contextmanager
def half_way(stand: Stand) -> Iterator[None]:
    """Have one replica start once as another version."""
    folder = stand.folder / "other"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(OTHER, encoding="utf-8")
    stand.start_once_with(NAME, PYTHONPATH=str(folder))
    yield


DRILL = Drill(
    name="versions-differ",
    alert="FanoutVersionsDiffer",
    text=f"{NAME} is of another version than the others",
    breaks=half_way,
    step="Finish the deploy",
    faster=300,
)
