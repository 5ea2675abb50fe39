"""Which steps are possible, by a clock of the test."""

import math

import pytest

from demos.game.arena import HEIGHT, RATE, SETTLE, SPEED, STALL, WIDTH
from demos.game.walker import Walker
from fanout.errors import BadData

TICK = 1 / RATE


def walked(walker, steps, length, every=TICK, begin=0.0):
    """Walk right and back; return the time at the end."""
    now = begin
    for number in range(steps):
        now += every
        walker.step(100 + length * (1 - number % 2), 100, now)
    return now


def test_who_walks_as_fast_as_allowed_is_never_refused():
    """A minute at full speed and full rate goes through, rounding and all."""
    walker = Walker(100, 100, 0.0)
    walked(walker, 60 * RATE, SPEED * TICK)


@pytest.mark.parametrize("factor", [1.2, 2, 10])
def test_who_is_faster_is_refused_soon_and_stays_where_it_was(factor):
    """The refusal says how far was possible; afterwards honest steps go on from the last place."""
    walker = Walker(100, 100, 0.0)
    with pytest.raises(BadData, match=r"Too fast: \d+ units in one step, \d+ were possible\. You are still at"):
        walked(walker, 20 * RATE, factor * SPEED * TICK)
    x, y = walker.x, walker.y
    walker.step(x, y + 1, 60.0)
    assert (walker.x, walker.y) == (x, y + 1)


def test_a_jump_over_the_arena_is_refused_however_long_one_stood():
    """Standing saves up one stall and no more."""
    walker = Walker(0, 0, 0.0)
    with pytest.raises(BadData, match="Too fast"):
        walker.step(WIDTH, HEIGHT, 3600.0)
    walker.step(SPEED * STALL, 0, 3600.0)


def test_steps_that_a_network_held_back_go_through_together():
    """A stall's worth of steps at once is walking, seen late."""
    walker = Walker(100, 100, 0.0)
    now = walked(walker, RATE, SPEED * TICK)
    for number in range(int(RATE * STALL)):
        walker.step(100 + SPEED * TICK * (number + 1), 100, now + STALL)


def test_a_flood_of_steps_is_refused_even_when_it_moves_nothing():
    """More steps a second than are taken cost their sender an error each."""
    walker = Walker(100, 100, 0.0)
    with pytest.raises(BadData, match=f"{RATE} a second"):
        walked(walker, 3 * RATE, 0, every=TICK / 4)


@pytest.mark.parametrize("place", [(-1, 5), (5, -1), (WIDTH + 1, 5), (5, HEIGHT + 1), (math.inf, 5), (5, math.nan)])
def test_the_walls_hold(place):
    """Nobody begins or goes outside; what is no number is outside too."""
    with pytest.raises(BadData, match="outside the arena"):
        Walker(*place, 0.0)
    walker = Walker(5, 5, 0.0)
    with pytest.raises(BadData, match="outside the arena"):
        walker.step(*place, 1.0)
    assert (walker.x, walker.y) == (5, 5)


def test_coming_anew_is_no_faster_than_walking():
    """Who has just come takes nothing until it could have walked there from anywhere."""
    walker = Walker(5, 5, 0.0)
    assert not walker.settled(SETTLE - 0.01)
    assert walker.settled(SETTLE)
    assert math.hypot(WIDTH, HEIGHT) < SETTLE * SPEED * 1.1


def test_a_clock_that_goes_back_gives_nothing():
    """Time that did not pass lets nobody walk."""
    walker = Walker(5, 5, 100.0)
    walker.step(5 + SPEED * STALL, 5, 100.0)
    with pytest.raises(BadData, match="Too fast"):
        walker.step(5, 5, 50.0)
