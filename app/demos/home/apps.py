"""The front page, as Django knows it."""

from django.apps import AppConfig


class HomeConfig(AppConfig):
    """Templates and static files are found by this."""

    name = "demos.home"
    label = "home"
    verbose_name = "Front page"
