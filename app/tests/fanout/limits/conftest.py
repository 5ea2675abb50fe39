"""A kind for everybody, a clock that stands still, and clients that come."""

from types import SimpleNamespace

import pytest

from fanout import policy
from fanout.counters import counters
from fanout.hub import close_hub
from fanout.limits import admission
from tests.fanout.limits.clients import STRANGER, Open, Socket, leave


@pytest.fixture
async def open_kind(monkeypatch, memory_default_layer):
    """Clients may be in groups of the kind `open`; nothing is counted yet."""
    monkeypatch.setitem(policy._policies, Open.kind, Open())
    monkeypatch.setattr(counters, "limited", type(counters.limited)())
    yield
    await close_hub()


@pytest.fixture
def clock(monkeypatch):
    """Time stands still for the rates: however busy the machine is, nothing is earned meanwhile."""
    monkeypatch.setattr(admission, "time", SimpleNamespace(monotonic=lambda: 1000.0))


@pytest.fixture
async def come():
    """A client that shakes hands from an address; all have gone at the end."""
    came = []

    async def come(address=STRANGER, path="/ws/", subprotocols=("fanout.v1",)):
        socket = Socket(address, path, list(subprotocols))
        socket.answer = await socket.shake()
        came.append(socket)
        return socket

    yield come
    for socket in came:
        await leave(socket)
