"""As in Channels' documentation: a consumer for each channel of the worker."""

import os

from channels.consumer import AsyncConsumer
from channels.routing import ChannelNameRouter, ProtocolTypeRouter


class Thumbnails(AsyncConsumer):
    """Answers each message with its number and who did the work."""

    async def thumbnails_make(self, message):
        answer = {"type": "made", "number": message["number"], "worker": os.getpid()}
        await self.channel_layer.send(message["answer_to"], answer)


application = ProtocolTypeRouter({"channel": ChannelNameRouter({"thumbnails": Thumbnails.as_asgi()})})
