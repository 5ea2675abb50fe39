"""`manage.py doctor`: what is wrong with the settings and with Redis, why it hurts, what to type."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from ops.checks import findings, redis
from ops.checks.layer import OURS

FOUND = 1


class Command(BaseCommand):
    """Prints each finding in three lines; exit code 1 when one of them is an error."""

    help = "Look for the traps that this configuration may be in: what is wrong, why it hurts, what to type."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own type; it runs ours itself

    def handle(self, *_: Any, **_options: Any) -> None:
        """Look and print."""
        found = list(findings())
        layer = settings.CHANNEL_LAYERS.get("default", {})
        if layer.get("BACKEND") == OURS:
            found += redis.findings(layer.get("CONFIG", {}))
        for finding in found:
            self.stdout.write(f"{finding.id}  {finding.what}\n  why  {finding.why}\n  do   {finding.do}\n")
        if not found:
            self.stdout.write("Settings and Redis: nothing found.")
        if any(finding.is_error for finding in found):
            sys.exit(FOUND)
