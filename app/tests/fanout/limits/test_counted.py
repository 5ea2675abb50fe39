"""Connections counted over the fleet: what one process has told, another knows; over both layers."""

import asyncio

import pytest

from fanout.errors import Unavailable
from fanout.limits import counted
from fanout.limits.counted import Counted
from fanout.publishing import default_layer as layer_of

LIMIT = 10
MOST = 4
"""Below UNASKED, so that each is asked for."""


@pytest.fixture
async def process(default_layer):
    """Make counters as of several processes."""
    made = []

    def make():
        made.append(Counted(layer_of()))
        return made[-1]

    yield make
    for each in made:
        each.stop()


async def has_room(process):
    """Wait until a process lets one in."""
    async with asyncio.timeout(LIMIT):
        while not await process.enter("address a", MOST):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def test_the_limit_is_the_fleets(process):
    """Whoever comes through which replica ever; another subject has its own."""
    one, other = process(), process()
    assert [await each.enter("address a", MOST) for each in (one, other, one, other, one, other)] == [
        True, True, True, True, False, False,
    ]  # fmt: skip
    assert await other.enter("address b", MOST)


async def test_who_leaves_makes_room_on_another_replica(process):
    """Within TOLD_WITHIN, and for as many as have left."""
    one, other = process(), process()
    for _ in range(MOST):
        assert await one.enter("address a", MOST)
    assert not await other.enter("address a", MOST)
    one.leave("address a")
    await has_room(other)
    assert not await one.enter("address a", MOST)


async def test_a_dead_process_counts_no_more(process, monkeypatch):
    """What it had is room again."""
    monkeypatch.setattr(counted, "STALE_AFTER", 0.5)
    dead, other = process(), process()
    for _ in range(MOST):
        assert await dead.enter("address a", MOST)
    dead.stop()
    await has_room(other)


async def test_what_was_forgotten_is_told_anew(process, monkeypatch, default_layer):
    """A Redis that lost everything knows again who has what."""
    monkeypatch.setattr(counted, "BEAT_EVERY", 0.1)
    one, other = process(), process()
    for _ in range(MOST):
        assert await one.enter("address a", MOST)
    layer = layer_of()
    if default_layer == "memory":
        layer._holdings.clear()
    else:
        loop_layer = layer._get_layer()
        await loop_layer._shard_of("holders").commands.execute(
            "DEL", loop_layer.holdings._holders, f"{loop_layer.holdings._head}{one._process}"
        )
    async with asyncio.timeout(LIMIT):
        while await other.enter("address a", MOST):
            other.leave("address a")
            await asyncio.sleep(0.02)


async def test_few_are_let_in_unasked_and_counted_all_the_same(process):
    """An address with a handful of connections costs no round trip."""
    one, other, most = process(), process(), 2 * counted.UNASKED
    for _ in range(2):
        assert await one.enter("address a", most)
    assert one._telling is not None
    async with asyncio.timeout(LIMIT):
        while one._telling is not None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    for _ in range(most - 2):
        assert await other.enter("address a", most)
    assert not await other.enter("address a", most)


async def test_while_redis_is_away_each_process_counts_for_itself(process, monkeypatch):
    """Nobody is refused for what can't be known; the process' own limit holds, and Redis is not asked again at once."""
    one, asked = process(), []

    async def away(*arguments):
        asked.append(arguments)
        raise Unavailable("away")

    monkeypatch.setattr(one._layer, "claim", away)
    assert [await one.enter("address a", MOST) for _ in range(MOST + 1)] == [True] * MOST + [False]
    assert len(asked) == 1
