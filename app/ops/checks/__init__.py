"""Looks for the traps that a configuration may fall into: each finding says what, why it hurts, and what to type.

`manage.py check --deploy` runs those that need nothing but the settings, `manage.py doctor` asks Redis too, and `make
doctor` the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import checks

from ops.checks import layer, limits, parts, site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.checks.finding import Finding

TAG = "fanout"


def findings() -> Iterator[Finding]:
    """Yield what is wrong with the settings."""
    yield from layer.findings(settings.CHANNEL_LAYERS)
    yield from site.findings(settings)
    yield from limits.findings(getattr(settings, "FANOUT_LIMITS", {}))
    yield from parts.findings()


def check_settings(**_options: Any) -> list[checks.CheckMessage]:
    """Return the findings as Django has them."""
    return [finding.message() for finding in findings()]


def register() -> None:
    """Have `manage.py check --deploy` look."""
    checks.register(check_settings, TAG, deploy=True)
