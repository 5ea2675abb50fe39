"""Django finds the package's static files (the JavaScript client) by this."""

from django.apps import AppConfig


class FanoutConfig(AppConfig):
    """The reusable package."""

    name = "fanout"
    verbose_name = "Fan-out"
