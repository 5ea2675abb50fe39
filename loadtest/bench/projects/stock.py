"""The control: the consumer of Channels' tutorial, unchanged, in the least project around it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "app" / "tests" / "data" / "tutorial"))
settings.configure(
    SECRET_KEY="stock-control-" * 4,
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [os.environ["BENCH_REDIS"]]},
        }
    },
)
django.setup()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from consumers import ChatConsumer  # noqa: E402
from django.urls import path  # noqa: E402


class OtherRoom(ChatConsumer):
    """The tutorial's consumer in the group that the path names."""

    async def connect(self) -> None:
        """Join, then change the room."""
        await super().connect()
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)
        self.room_group_name: str = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)


routes = [path("ws/chat/", ChatConsumer.as_asgi()), path("ws/chat/<slug:room>/", OtherRoom.as_asgi())]
application = ProtocolTypeRouter({"websocket": URLRouter(routes)})
