"""The app that operators talk to."""

from django.apps import AppConfig


class OpsConfig(AppConfig):
    """Health, readiness, checks."""

    name = "ops"
    verbose_name = "Operations"
