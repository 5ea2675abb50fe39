"""Groups that are polled, without a server: what the process keeps, and for how long."""

import asyncio

import pytest

from fanout import policy
from fanout.http import shelf
from fanout.hub import Hub
from fanout.layers import InMemoryChannelLayer
from fanout.policy import Policy
from tests.replicas import LIMIT


class Named(Policy):
    """Of each name the latest counts; so many bytes of them are kept."""

    kind = "named"
    flush_interval = 0
    outbox_limit = 4000

    def value_key(self, data):
        return data["name"]


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setitem(policy._policies, "named", Named())
    return Hub(InMemoryChannelLayer())


async def until(holds):
    async with asyncio.timeout(LIMIT):
        while not holds():  # noqa: ASYNC110 - the hub has no event for it
            await asyncio.sleep(0)


def names(parcels):
    return [(parcel.publication.value_key, parcel.publication.data) for parcel in parcels]


async def test_a_group_is_left_when_nobody_polls_it_any_more(hub, monkeypatch):
    """After LINGER; two polls in between join once."""
    monkeypatch.setattr(shelf, "LINGER", 0.1)
    shelves = shelf.shelves_of(hub)
    first, second = await asyncio.gather(shelves.enter("named.a"), shelves.enter("named.a"))
    assert first is second
    assert hub.groups == {"named.a": 1}
    await until(lambda: not hub.groups)
    assert await shelves.enter("named.a") is not first


async def test_a_group_at_which_somebody_waits_is_kept(hub, monkeypatch):
    """Longer than LINGER."""
    monkeypatch.setattr(shelf, "LINGER", 0.05)
    made = await shelf.shelves_of(hub).enter("named.a")
    waiting = asyncio.Event()
    made.wakers.add(waiting)
    for _ in range(3):
        await asyncio.sleep(0.05)
        assert hub.groups == {"named.a": 1}
    await hub.publish("named.a", {"name": "x"})
    await asyncio.wait_for(waiting.wait(), LIMIT)
    made.wakers.discard(waiting)
    await until(lambda: not hub.groups)


async def test_a_cursor_tells_what_is_new(hub):
    """In the same process exactly; in another by the publisher's clock, so that none is missed."""
    mine, other = [await shelf.shelves_of(each).enter("named.a") for each in (hub, Hub(hub._layer))]
    for name in "ab":
        await hub.publish("named.a", {"name": name, "n": 1})
    await until(lambda: len(mine.last(9)) == len(other.last(9)) == 2)
    cursor = mine.cursor(None)
    assert mine.behind(cursor) == []
    await hub.publish("named.a", {"name": "a", "n": 2})
    await until(lambda: mine.behind(cursor) and len(other.behind(cursor)) == 2)
    assert names(mine.behind(cursor)) == [("a", b'{"name":"a","n":2}')]
    assert names(other.behind(cursor))[-1] == ("a", b'{"name":"a","n":2}')


async def test_the_groups_that_are_kept_are_bounded(hub, monkeypatch):
    """Anybody may poll any number of groups: those that were not polled for the longest time are left first."""
    monkeypatch.setattr(shelf, "SHELVES_LIMIT", 3)
    shelves = shelf.shelves_of(hub)
    (await shelves.enter("named.0")).wakers.add(asyncio.Event())
    for number in (1, 2, 1, 3, 4):
        await shelves.enter(f"named.{number}")
    assert set(hub.groups) == {"named.0", "named.3", "named.4"}


async def test_what_is_kept_is_bounded(hub):
    """The oldest values give way: any number of keys may be thought up."""
    made = await shelf.shelves_of(hub).enter("named.a")
    for number in range(20):
        await hub.publish("named.a", {"name": f"n{number}", "filling": "x" * 500})
    await until(lambda: any(key == "n19" for key, _ in names(made.last(99))))
    assert sum(map(len, made.last(99))) <= Named.outbox_limit
