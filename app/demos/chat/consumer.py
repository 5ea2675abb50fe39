"""The chat's WebSocket: `/ws/chat/` is the lobby, `/ws/chat/<room>/` a room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demos.chat.policy import LOBBY
from fanout.consumer import FanoutConsumer

if TYPE_CHECKING:
    from fanout.asgi import Scope


class ChatConsumer(FanoutConsumer):
    """Serves the tutorial's client of Channels unchanged, and `fanout.v1`."""

    def plain_group(self, scope: Scope) -> str:
        """Return the group of the room in the path."""
        room = scope["url_route"]["kwargs"].get("room", LOBBY)
        return f"chat.{room}"
