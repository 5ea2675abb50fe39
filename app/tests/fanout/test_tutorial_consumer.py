"""The consumer of Channels' tutorial, unchanged, on both layers."""

import asyncio
import importlib.util
from pathlib import Path

import pytest
from channels.layers import channel_layers

from tests.communicators import WebsocketCommunicator

CONSUMERS = Path(__file__).resolve().parents[1] / "data" / "tutorial" / "consumers.py"
CLIENTS = 3
"""On each layer instance."""


@pytest.fixture
def consumer():
    """The tutorial's ChatConsumer."""
    spec = importlib.util.spec_from_file_location("tutorial_consumers", CONSUMERS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ChatConsumer


@pytest.fixture
def replicas(default_layer, consumer, settings):
    """The consumer in two processes, as far as the layer can tell: two instances over Redis, the one in memory."""
    settings.CHANNEL_LAYERS = dict.fromkeys(("default", "second"), settings.CHANNEL_LAYERS["default"])
    if default_layer == "memory":
        channel_layers.set("second", channel_layers["default"])
    elsewhere = type("ElsewhereConsumer", (consumer,), {"channel_layer_alias": "second"})
    return consumer.as_asgi(), elsewhere.as_asgi()


@pytest.fixture
async def clients(replicas):
    """Connected clients, half of them on each replica."""
    clients = [WebsocketCommunicator(replica, "/ws/chat/") for replica in replicas for _ in range(CLIENTS)]
    for client in clients:
        connected, _ = await client.connect()
        assert connected
    yield clients
    await asyncio.gather(*(client.disconnect() for client in clients))


async def test_everybody_hears_everybody(clients):
    """What any client of any replica says reaches every client of every replica, in order, the speaker too."""
    for number, speaker in enumerate(clients):
        await speaker.send_json_to({"message": f"number {number}: Grüße 🎈"})
        for listener in clients:
            assert await listener.receive_json_from() == {"message": f"number {number}: Grüße 🎈"}


async def test_a_burst_arrives_in_order(clients):
    """Fifty messages of one client reach every client once and in order."""
    for number in range(50):
        await clients[0].send_json_to({"message": str(number)})
    for listener in clients:
        got = [(await listener.receive_json_from())["message"] for _ in range(50)]
        assert got == [str(number) for number in range(50)]


async def test_who_left_disturbs_nobody(clients):
    """After clients of both replicas left, those who stay hear each other."""
    for gone in (clients.pop(0), clients.pop(-1)):
        await gone.disconnect()
    await clients[0].send_json_to({"message": "still there?"})
    for listener in clients:
        assert await listener.receive_json_from() == {"message": "still there?"}
