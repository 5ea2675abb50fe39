"""What a test sees of a layer on a real Redis."""

import asyncio

from fanout.errors import Unavailable
from tests.busy import within

GROUP = "chat.lobby"
HEALED_SECONDS = 2
"""The design's limit for a gap; what the layer promises."""
ANSWER_SECONDS = 2.5
"""A publisher knows by then: 2 s for Redis, the rest for this machine."""


def event(text="hello"):
    return {"type": "test.message", "text": text}


async def heard(layer, inbox):
    """Publish until the inbox hears it; what is published while nobody is subscribed is lost."""
    async with within(HEALED_SECONDS):
        number = 0
        while True:
            number += 1
            data = b'"probe %d"' % number
            try:
                await layer.publish(GROUP, data)
                async with asyncio.timeout(0.05):
                    while await inbox.data() != data:
                        pass
            except (Unavailable, TimeoutError):
                await asyncio.sleep(0.01)
            else:
                return


def topics(server):
    """The Redis channels of groups that somebody is subscribed to."""
    return server.cli.pubsub_channels("*__group__*")


def connections(server):
    """The connections to a Redis beside the test's own."""
    own = server.cli.client_id()
    return [client for client in server.cli.client_list() if int(client["id"]) != own]
