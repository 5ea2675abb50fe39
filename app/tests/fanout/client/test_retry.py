"""When to come back, in Python as in JavaScript."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout import close_codes
from fanout.client import retry_delay
from fanout.client.retry import BASE, CAP, FLOOR, HANDOVER

codes = st.sampled_from([1001, 1006, 1011, 1012, 1013, 4008])
fractions = st.floats(0, 1, exclude_max=True)


@given(codes, st.integers(0, 10_000), st.none() | st.floats(0, 1e9), fractions)
def test_every_wait_is_bounded(code, failures, hint, fraction):
    """No wait is negative or longer than the cap and the spread, whatever the server asked for."""
    assert 0 <= retry_delay(code, failures, hint, lambda: fraction) <= CAP + HANDOVER


@given(st.integers(0, 20), fractions)
def test_a_broken_connection_backs_off_with_full_jitter(failures, fraction):
    """The wait is a random part of a step that doubles with each failure, but never a spin."""
    step = min(CAP, BASE * 2**failures)
    assert retry_delay(close_codes.ABNORMAL, failures, rand=lambda: fraction) == max(FLOOR, fraction * step)


@pytest.mark.parametrize("code", [close_codes.GOING_AWAY, close_codes.SERVICE_RESTART])
@given(fraction=fractions)
def test_a_planned_exit_is_followed_at_once(code, fraction):
    """The first attempt after a drain comes within the spread; after a failure it backs off."""
    assert retry_delay(code, 0, rand=lambda: fraction) == fraction * HANDOVER
    assert retry_delay(code, 3, rand=lambda: 0.5) == 2.0


@given(st.floats(0, 20), fractions)
def test_the_servers_hint_is_kept(hint, fraction):
    """Who was asked to spread over so long waits a part of it."""
    assert retry_delay(close_codes.SERVICE_RESTART, 0, hint, lambda: fraction) == hint * fraction


def test_try_again_later_begins_with_a_longer_step():
    """1013 counts as three failures; more failures count as more."""
    waits = [retry_delay(close_codes.TRY_AGAIN_LATER, failures, rand=lambda: 0.5) for failures in (0, 3, 4)]
    assert waits == [2.0, 2.0, 4.0]
