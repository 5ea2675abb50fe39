"""One module a drill: how it breaks the fleet, which alert has to fire, and which step of the runbook is followed."""
