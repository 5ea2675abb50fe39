"""A client of `fanout.v1`: a core without socket and clock, and an asyncio client around it.

    async with fanout.client.connect("ws://localhost:8080/ws/", ["chat.lobby"], last=50) as client:
        await client.publish("chat.lobby", {"message": "hi"})
        async for event in client:
            match event:
                case Publication():
                    print(event.group, event.data)
                case Reset():
                    print(f"something of {event.group} is missing: {event.reason}")

`Client` states the guarantees. `Core` is for those who bring their own socket. Needs no Django.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanout.client.core import Core
from fanout.client.errors import ClientError, Closed, HandshakeRefused, NotConnected, Unacknowledged
from fanout.client.events import Event, Joined, Later, Publication, Refused, Reset, Settled
from fanout.client.retry import retry_delay

if TYPE_CHECKING:
    from fanout.client.client import Client, connect

__all__ = [
    "Client",
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
    "connect",
    "retry_delay",
]


def __getattr__(name: str) -> Any:
    """Import the asyncio client when it is asked for: the core needs neither asyncio nor websockets."""
    if name not in ("Client", "connect"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from fanout.client import client
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "websockets":
            raise
        raise ModuleNotFoundError(
            "fanout.client.connect needs the package websockets: pip install 'fanout-stack[client]'.", name=error.name
        ) from error
    return getattr(client, name)
