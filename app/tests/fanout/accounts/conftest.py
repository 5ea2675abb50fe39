"""Users, and sockets with their sessions."""

import pytest
from channels.db import database_sync_to_async

from config.asgi import application
from fanout import policy
from fanout.hub import close_hub
from tests.communicators import WebsocketCommunicator
from tests.fanout.accounts.sessions import HOST, LIMIT, Members, Open, Watchers, made


@pytest.fixture
async def kinds(settings, monkeypatch, memory_default_layer):
    """Kinds that ask who comes, and passwords that cost nothing."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for kind in (Members, Watchers):
        monkeypatch.setitem(policy._policies, kind.kind, kind())
    yield
    await close_hub()


@pytest.fixture
async def ada():
    """A user, and the key of a session of hers."""
    return await database_sync_to_async(made)("ada")


@pytest.fixture
async def connect():
    """Open a socket with a session, and join groups."""
    opened = []

    async def connect(key, *groups, path="/ws/", subprotocol="fanout.v1", client=None):
        headers = [HOST, *([(b"cookie", f"sessionid={key}".encode("latin1"))] if key else [])]
        address = client
        client = WebsocketCommunicator(application, path, headers, [subprotocol] if subprotocol else None)
        client.scope["client"] = address
        assert (await client.connect(timeout=LIMIT))[0]
        opened.append(client)
        for group in groups:
            await client.send_json_to({"type": "join", "group": group, "id": 1})
            assert (await client.receive_json_from(timeout=LIMIT))["type"] == "joined"
        return client

    yield connect
    for client in opened:
        await client.disconnect(timeout=LIMIT)


@pytest.fixture
def open_to_all(monkeypatch):
    """Groups whose policy never asks for the user, as the board of the fleet; a plain client's path leads to one."""
    monkeypatch.setitem(policy._policies, "open", Open())
    monkeypatch.setitem(policy._policies, "chat", type("OpenChat", (Open,), {"kind": "chat"})())
