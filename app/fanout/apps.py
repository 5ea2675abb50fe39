"""Django finds the package's static files (the JavaScript client) by this; the signals of accounts are listened to."""

from django.apps import AppConfig


class FanoutConfig(AppConfig):
    """The reusable package."""

    name = "fanout"
    verbose_name = "Fan-out"

    def ready(self) -> None:
        """Listen to what ends accounts and their sessions."""
        from fanout.accounts import revocation

        revocation.connect()
