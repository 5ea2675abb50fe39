import pytest

from bench.figure import BUSY, Figure, Sample, percentile


def test_the_median_of_the_repeats_counts(figure):
    """One disturbed repeat of three changes the spread and not the value."""
    made = figure(7.0, 7.2, 30.0)
    assert made.value == 7.2
    assert made.spread == (7.0, 30.0)


def test_a_busy_generator_voids(figure):
    """Over 80 % of a core it measures itself: there is no value and no spread, and the reason is told."""
    made = figure(7.0, generator=BUSY + 0.01)
    assert made.value is None
    assert made.spread is None
    assert "bottleneck" in made.void
    assert figure(7.0, generator=BUSY).value == 7.0


def test_one_void_repeat_is_enough(figure):
    """A lost frame in one of three repeats is a lost frame."""
    samples = (Sample(7.0, 0.1), Sample(7.0, 0.1, "1 of 500 receivers got other than was sent"), Sample(7.0, 0.1))
    made = Figure("ours", "µs", figure(1.0).work, samples)
    assert made.value is None
    assert made.void.startswith("1 of 500")


def test_what_was_not_measured_is_void(figure):
    """No repeats, no figure."""
    assert figure().void == "it was not measured"


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (100, 100), (1, 1), (0.5, 1)])
def test_a_percentile_is_one_of_the_values(percent, expected):
    """Nearest rank: the smallest value that so many do not exceed."""
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


def test_nothing_has_no_percentile():
    """An empty list is a mistake of the caller."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)
