"""The layer within one process forgets as Redis does."""

import time
from types import SimpleNamespace

import pytest

from fanout.history import KEY_WINDOW, META_LIFETIME, History
from fanout.layers import InMemoryChannelLayer, memory, memory_presence
from fanout.presence.view import PART_LIFETIME, Part


@pytest.fixture
def clock(monkeypatch):
    """Moves the layer's clock."""
    made = SimpleNamespace(now=time.time())
    told = SimpleNamespace(time=lambda: made.now, monotonic=lambda: made.now)
    monkeypatch.setattr(memory, "time", told)
    monkeypatch.setattr(memory_presence, "time", told)
    return made


async def test_streams_of_long_ago_are_forgotten(clock):
    """A group that nobody has published to for a week, and past its history's age, costs nothing; others stay."""
    layer = InMemoryChannelLayer()
    old = await layer.append("a.old", b"1", History(age=10), "key")
    await layer.append("a.long", b"1", History(age=2 * META_LIFETIME))
    clock.now += KEY_WINDOW + 1
    young = await layer.append("a.young", b"1", History())
    clock.now += META_LIFETIME - 1
    assert (await layer.append("a.young", b"1", History())).offset == young.offset + 1
    assert set(layer._streams._streams) == {"a.long", "a.young"}
    again = await layer.append("a.old", b"1", History())
    assert (again.epoch != old.epoch, again.offset) == (True, 1)


async def test_looking_at_a_group_keeps_nothing():
    """Who asks for the position of groups in which nothing was ever published leaves no trace."""
    layer = InMemoryChannelLayer()
    for number in range(10):
        top = await layer.top(f"a.{number}")
        assert await layer.read(f"a.{number}", top.position, 10) == []
    assert not layer._streams._streams


async def test_presence_of_long_ago_is_forgotten(clock):
    """What is not repeated is gone after the lifetime of a part."""
    layer = InMemoryChannelLayer()
    await layer.announce("a.old", Part("p", 1, 0, {}))
    clock.now += PART_LIFETIME + 1
    await layer.announce("a.young", Part("p", 2, 1, {}))
    assert await layer.presence("a.old") == []
    assert list(layer._presence._groups) == ["a.young"]
