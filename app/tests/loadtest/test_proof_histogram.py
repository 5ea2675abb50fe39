import math

from hypothesis import given
from hypothesis import strategies as st

from proof.judgement.histogram import Histogram, bucket, merged, upper

TIMES = st.lists(st.integers(0, 10**9), min_size=1, max_size=200)


@given(st.integers(0, 10**12))
def test_a_bucket_tells_a_time_to_within_three_percent(time):
    """Its longest time is not below the time, and above it by a thirtieth at most."""
    assert time <= upper(bucket(time)) <= time * (1 + 1 / 32)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_longer_time_is_in_no_lower_bucket(one, other):
    """Buckets are in the order of their times."""
    shorter, longer = sorted((one, other))
    assert bucket(shorter) <= bucket(longer)


@given(TIMES)
def test_quantiles_are_those_of_the_sorted_times(times):
    """Each of them is the time of its rank, as exactly as the buckets are."""
    histogram = Histogram()
    for time in times:
        histogram.record(time)
    latency, ranked = histogram.latency(), sorted(times)
    for share, told in ((0.5, latency.p50), (0.99, latency.p99), (0.999, latency.p999), (1, latency.worst)):
        true = ranked[math.ceil(share * len(ranked)) - 1]
        assert true / 1000 <= told <= true * (1 + 1 / 32) / 1000
    assert latency.count == len(times)


@given(st.lists(TIMES, max_size=5))
def test_parts_add_up_to_the_whole(parts):
    """What workers count apart is what one of them would have counted."""
    whole = Histogram()
    for time in (time for part in parts for time in part):
        whole.record(time)
    each = [Histogram() for _ in parts]
    for histogram, part in zip(each, parts, strict=True):
        for time in part:
            histogram.record(time)
    assert merged(each) == whole


def test_nothing_has_no_latency():
    """An empty distribution has no quantiles."""
    assert Histogram().latency() is None


def test_a_time_before_its_beginning_is_none():
    """Clocks that differ do not lead out of the buckets."""
    assert bucket(-5) == 0
