"""Presence within one process, with the contract of that in Redis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fanout.presence.view import PART_LIFETIME

if TYPE_CHECKING:
    from fanout.presence.view import Part


class MemoryPresence:
    """Keeps the newest part of each hub, and the beats of all."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[float, dict[str, Part]]] = {}
        """Group → when something was last announced, process → part. The one announced last comes last."""
        self._beats: dict[str, float] = {}

    def announce(self, group: str, part: Part) -> None:
        """Keep the part unless a newer one is known."""
        now = time.monotonic()
        _, parts = self._groups.pop(group, (now, {}))
        self._groups[group] = now, parts
        known = parts.get(part.process)
        if known is None or known.number < part.number:
            parts[part.process] = part
        while self._groups[oldest := next(iter(self._groups))][0] < now - PART_LIFETIME:
            del self._groups[oldest]

    def forget(self, group: str, part: Part) -> None:
        """Remove the part unless a newer one is known."""
        _, parts = self._groups.get(group, (0, {}))
        if parts.get(part.process) == part:
            del parts[part.process]
            if not parts:
                del self._groups[group]

    def presence(self, group: str) -> list[Part]:
        """Return what is kept."""
        return list(self._groups[group][1].values()) if group in self._groups else []

    def beat(self, process: str, stale_after: float) -> set[str]:
        """Note a beat; return who has had one lately."""
        now = time.monotonic()
        self._beats[process] = now
        self._beats = {name: at for name, at in self._beats.items() if at >= now - stale_after}
        return set(self._beats)

    def clear(self) -> None:
        """Forget all."""
        self._groups.clear()
        self._beats.clear()
