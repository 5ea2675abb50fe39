"""How late the event loop is."""

import asyncio
import time

import pytest

from ops.lag import MISSED_LIMIT, TICK, LoopLag, lateness_of


@pytest.mark.parametrize(
    ("late", "counted"), [(0.0, [0.0]), (0.05, [0.05]), (0.25, [0.25, 0.15, 0.05]), (3600.0, MISSED_LIMIT)]
)
def test_a_standstill_counts_by_its_share_of_the_time(late, counted):
    """Each tick that it has hidden would have been late, too; an hour's are not made up for."""
    found = lateness_of(late)
    if isinstance(counted, int):
        assert len(found) == counted
    else:
        assert found == pytest.approx(counted)


async def test_a_blocked_loop_is_late():
    """While it is blocked nobody can ask, right behind that the answer is how long; the histogram keeps it."""
    lag = LoopLag()
    lag.start()
    await asyncio.sleep(0)
    time.sleep(3 * TICK)  # noqa: ASYNC251  # what is measured
    assert lag.now >= 2 * TICK
    while sum(lag.lateness.counts) < 2:  # noqa: ASYNC110  # the end of a timer has no event
        await asyncio.sleep(TICK / 10)
    assert lag.lateness.sum >= 2 * TICK
    lag.stop()
    assert lag.now < lag.lateness.sum


async def test_it_ticks_while_it_runs():
    """Started twice it ticks once, and stopped no more."""
    lag = LoopLag()
    lag.start()
    timer = lag._timer
    lag.start()
    assert lag._timer is timer
    lag.stop()
    lag.stop()
    assert timer.cancelled()
