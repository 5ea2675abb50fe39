"""Looks at the alerts of a drill: which of them fire, since when, and when they have ended."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drills.prometheus import Alert, Prometheus


@dataclass(frozen=True)
class Sighting:
    """An alert that fired, and when it was first seen to."""

    alert: Alert
    since: float


class Watch:
    """Each look notes what has changed; times are by the monotonic clock."""

    def __init__(self, prometheus: Prometheus, alerts: Sequence[str]) -> None:
        self._prometheus = prometheus
        self._alerts = alerts
        self.fired: set[str] = set()
        """Of all rules there are, those whose alert fired at a look."""
        self.seen: dict[str, Sighting] = {}
        """Of the drill's own alerts, in the order in which they fired."""
        self.ended: dict[str, float] = {}
        """When each of those was first seen not to fire any more."""

    def unseen(self) -> list[str]:
        """Return those that have not fired yet."""
        self._look()
        return [name for name in self._alerts if name not in self.seen]

    def firing(self) -> list[str] | None:
        """Return those that fire now; None as long as Prometheus does not answer."""
        return self._look()

    def _look(self) -> list[str] | None:
        found = self._prometheus.alerts()
        if found is None:
            return None
        now = time.monotonic()
        alerts = [alert for alert in found if alert.is_firing]
        self.fired |= {alert.name for alert in alerts}
        for alert in alerts:
            if alert.name in self._alerts:
                self.seen.setdefault(alert.name, Sighting(alert, now))
        left = [name for name, sighting in self.seen.items() if any(map(sighting.alert.is_same, alerts))]
        for name in self.seen:
            if name in left:
                self.ended.pop(name, None)
            else:
                self.ended.setdefault(name, now)
        return left
