"""The project's application with two more kinds of groups, for replicas of these tests."""

from config.asgi import application
from fanout.history import History
from fanout.policy import Policy, register

__all__ = ["application"]


class Flood(Policy):
    """Durable: keeps all that a test can publish."""

    kind = "flood"
    history = History(size=100_000, age=3600, bytes=0)


class Live(Policy):
    """Ephemeral."""

    kind = "live"


register(Flood())
register(Live())
