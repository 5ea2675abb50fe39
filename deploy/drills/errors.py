"""What a drill says when it does not pass."""

from __future__ import annotations

from fleet.errors import FleetError


class DrillError(FleetError):
    """The drill has failed: the alert, the runbook or the fleet is not as it should be."""
