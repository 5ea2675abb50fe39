"""Consumers as Channels' documentation has them, behind its middleware; stock Daphne and ours serve them alike."""

from django.conf import settings

settings.configure(
    SECRET_KEY="for tests only " * 4,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "channels"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    ALLOWED_HOSTS=["localhost"],
)

import django  # noqa: E402

django.setup()

from asgiref.sync import async_to_sync  # noqa: E402
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.db import database_sync_to_async  # noqa: E402
from channels.generic.websocket import (  # noqa: E402
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.db import connection  # noqa: E402
from django.urls import path  # noqa: E402


def said(scope):
    user, session = scope["user"], dict(scope["session"])
    return f"{user} {session} {scope['url_route']} {scope['cookies']}"


class Sync(WebsocketConsumer):
    def connect(self):
        async_to_sync(self.channel_layer.group_add)("room", self.channel_name)
        self.accept()
        self.send(said(self.scope))

    def receive(self, text_data=None, bytes_data=None):
        if text_data == "close":
            self.close(4001)
        else:
            async_to_sync(self.channel_layer.group_send)("room", {"type": "told", "text": text_data})

    def told(self, event):
        with connection.cursor() as cursor:
            (answer,) = cursor.execute("SELECT 40 + 2").fetchone()
        self.send(f"{event['text']} {answer}")


class Async(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept(self.scope["subprotocols"][0] if self.scope["subprotocols"] else None)
        await self.send(said(self.scope))

    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "raise":
            raise ValueError("it breaks")
        await self.send(bytes_data=await database_sync_to_async(self.query)(), close=text_data == "close")

    def query(self):
        with connection.cursor() as cursor:
            return str(cursor.execute("SELECT 6 * 7").fetchone()).encode()


class Json(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content, **options):
        await self.send_json({"got": content})


class Deny(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close()


application = ProtocolTypeRouter(
    {
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(
                URLRouter(
                    [
                        path("sync/<str:room>/", Sync.as_asgi()),
                        path("async/", Async.as_asgi()),
                        path("json/", Json.as_asgi()),
                        path("deny/", Deny.as_asgi()),
                    ]
                )
            )
        )
    }
)
