"""One state of many changes: pure, and whatever the changes are nothing of them is lost.

The Rust port of Yjs must not be given a change before what it needs: it forgets in part what waits, and where changes
of strangers wait for each other it recurses until the process ends. So each change is given to it when its turn has
come, and until then it waits here.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pycrdt import Doc, merge_updates

from demos.document.update import EMPTY, NotText, read, state_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demos.document.update import Change

logger = logging.getLogger(__name__)

WAITING_LIMIT = 4 * 1024 * 1024
"""Bytes of changes that wait. Honest ones wait only where something was lost, until a page has said that again."""


def merged(state: bytes, changes: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """Return `state` with the changes that have what they need, and those that wait for others which are missing."""
    document: Doc[Any] = Doc()
    document.apply_update(state)
    has = state_of(document.get_state())
    waiting = [(change, what) for change in changes if (what := _read(change)) is not None]
    before = -1
    while len(waiting) != before:
        before, still = len(waiting), []
        for change, what in waiting:
            if (after := what.after(has)) is None:
                still.append((change, what))
            else:
                document.apply_update(change)
                has = after
        waiting = still
    return document.get_update(), _bounded([change for change, _ in waiting])


def together(state: bytes, waiting: Sequence[bytes]) -> bytes:
    """Return one update of all: who gets it lets the same wait."""
    return bytes(merge_updates(state, *waiting)) if waiting else state


def _read(change: bytes) -> Change | None:
    """Return what a change speaks of; None if it is none: server code may have published anything."""
    try:
        what = read(change)
        merge_updates(EMPTY, change)
    except (NotText, ValueError) as error:
        logger.error("left out %d bytes that are no change to a text: %s", len(change), error)  # noqa: TRY400 - no bug
        return None
    return what


def _bounded(waiting: list[bytes]) -> list[bytes]:
    """Return the newest of what waits, each once, up to the limit."""
    kept: dict[bytes, None] = {}
    size = 0
    for change in reversed(waiting):
        if change in kept:
            continue
        size += len(change)
        if size > WAITING_LIMIT:
            logger.error("dropped changes that wait for others which never came")
            break
        kept[change] = None
    return list(reversed(kept))
