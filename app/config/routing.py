"""WebSocket paths, and the answer to all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import re_path as django_re_path

from demos.chat.consumer import ChatConsumer
from demos.rooms import NAME_PATTERN, RULE
from fanout.consumer import FanoutConsumer
from fanout.refusal import refuse

if TYPE_CHECKING:
    from fanout.asgi import Receive, Scope, Send


re_path: Any = django_re_path  # Django's types know views, Channels routes ASGI applications by the same function


async def unknown_room(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a room whose name breaks the rule."""
    await refuse(scope, receive, send, f"A room name is {RULE}.")


async def unknown_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a path that nobody serves."""
    await refuse(scope, receive, send, "No WebSocket is served on this path; try /ws/chat/ or /ws/.")


websocket_routes: list[Any] = [
    re_path(r"^ws/\Z", FanoutConsumer.as_asgi()),
    re_path(r"^ws/chat/\Z", ChatConsumer.as_asgi()),
    re_path(rf"^ws/chat/(?P<room>{NAME_PATTERN})/\Z", ChatConsumer.as_asgi()),
    re_path(r"^ws/chat/", unknown_room),
    re_path(r"", unknown_path),
]
