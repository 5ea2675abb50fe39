"""The dashboard, as Django knows it."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Templates and static files are found by this; the policy of `dashboard.` groups is registered."""

    name = "demos.dashboard"
    label = "dashboard"
    verbose_name = "Dashboard"

    def ready(self) -> None:
        """Register the policy."""
        from demos.dashboard.policy import DashboardPolicy
        from fanout.policy import register

        register(DashboardPolicy())
