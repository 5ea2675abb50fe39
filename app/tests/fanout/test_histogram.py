"""Distributions in plain numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout.histogram import Histogram

BOUNDS = (0.1, 1.0, 10.0)


@pytest.mark.parametrize(("value", "at"), [(0.0, 0), (0.1, 0), (0.11, 1), (1.0, 1), (10.0, 2), (10.1, 3)])
def test_a_bound_belongs_to_what_lies_below_it(value, at):
    """As Prometheus' `le` has it."""
    histogram = Histogram(BOUNDS)
    histogram.observe(value)
    assert histogram.counts == [int(number == at) for number in range(4)]


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 5))))
def test_it_counts_what_was_observed(observed):
    """Each bound has all that lies at or below it, infinity has all, the sum is theirs."""
    histogram = Histogram(BOUNDS)
    for value, count in observed:
        histogram.observe(value, count)
    for bound, counted in histogram.cumulated():
        assert counted == sum(count for value, count in observed if value <= bound)
    assert math.isclose(histogram.sum, sum(value * count for value, count in observed), abs_tol=1e-9)
