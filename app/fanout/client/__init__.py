"""A client of `fanout.v1`: a core without socket and clock. Needs no Django."""

from fanout.client.core import Core
from fanout.client.errors import ClientError, Closed, HandshakeRefused, NotConnected, Unacknowledged
from fanout.client.events import Event, Joined, Later, Publication, Refused, Reset, Settled
from fanout.client.retry import retry_delay

__all__ = [
    "ClientError",
    "Closed",
    "Core",
    "Event",
    "HandshakeRefused",
    "Joined",
    "Later",
    "NotConnected",
    "Publication",
    "Refused",
    "Reset",
    "Settled",
    "Unacknowledged",
    "retry_delay",
]
