"""Connections by subject within one process, with the contract of those in Redis."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class MemoryHoldings:
    """Keeps and sums what each hub holds."""

    def __init__(self) -> None:
        self._held: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._said: dict[str, float] = {}

    def claim(self, process: str, subject: str, own: int, limit: int, stale_after: float) -> bool:
        """See FanoutLayer."""
        since = time.monotonic() - stale_after
        others = sum(
            held.get(subject, 0) for name, held in self._held.items() if name != process and self._said[name] >= since
        )
        if others + own > limit:
            return False
        self.hold(process, {subject: own}, stale_after)
        return True

    def hold(self, process: str, counts: Mapping[str, int], stale_after: float) -> int:
        """See FanoutLayer."""
        now = time.monotonic()
        self._said[process] = now
        for name in [name for name, at in self._said.items() if at < now - stale_after]:
            del self._said[name], self._held[name]
        held = self._held[process]
        held.update(counts)
        for subject in [subject for subject in counts if not counts[subject]]:
            del held[subject]
        return len(held)

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()
        self._said.clear()
