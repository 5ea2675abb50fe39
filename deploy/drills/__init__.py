"""Drills: break a fleet of one's own, watch the alert fire, follow its runbook, see it end."""
