"""Presence within one process, with the contract of that in Redis."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanout.presence import Part


class MemoryAttendance:
    """Keeps the newest part of each hub, and the beats of all."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, Part]] = defaultdict(dict)
        self._beats: dict[str, float] = {}

    def announce(self, group: str, part: Part) -> None:
        """Keep the part unless a newer one is known."""
        known = self._parts[group].get(part.process)
        if known is None or known.number < part.number:
            self._parts[group][part.process] = part

    def forget(self, group: str, part: Part) -> None:
        """Remove the part unless a newer one is known."""
        parts = self._parts.get(group, {})
        if parts.get(part.process) == part:
            del parts[part.process]
            if not parts:
                del self._parts[group]

    def presence(self, group: str) -> list[Part]:
        """Return what is kept."""
        return list(self._parts.get(group, {}).values())

    def beat(self, process: str, stale_after: float) -> set[str]:
        """Note a beat; return who has had one lately."""
        now = time.monotonic()
        self._beats[process] = now
        self._beats = {name: at for name, at in self._beats.items() if at >= now - stale_after}
        return set(self._beats)

    def clear(self) -> None:
        """Forget all."""
        self._parts.clear()
        self._beats.clear()
