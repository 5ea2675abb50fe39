from bench.parts.edge import KEEPS_UP, Step, _latency, _most, _told
from bench.sides import OURS


def step(offered, last=20.0, generator=0.2, void=""):
    return Step(offered, p50=5.0, p99=50.0, last=last, generator=generator, void=void)


def test_the_most_that_was_carried_counts():
    """The step behind it ended the run, and the row says why."""
    steps = [step(50_000), step(100_000), step(150_000, last=KEEPS_UP)]
    assert _most(OURS, 2, steps).value == 100_000
    assert "ours does not carry 150,000/s: the last publication took 1,000 ms" in _told("ours", steps)


def test_a_lost_frame_or_a_busy_generator_carries_nothing():
    """Such a step is no measurement of the fleet."""
    assert not step(1000, void="1 of 1000 receivers got other than was sent").carried
    assert not step(1000, generator=0.9).carried


def test_nothing_carried_is_void():
    """Not a zero, which would be a figure."""
    figure = _most(OURS, 2, [step(50_000, last=3000)])
    assert figure.value is None
    assert "3,000 ms" in figure.void


def test_a_target_that_was_not_offered_has_no_latency():
    """The latency at a lower rate is not told in its place."""
    p50, p99 = _latency(2, [step(50_000, last=3000)])
    assert p50.ours.value is None
    assert "100,000 deliveries/s was not offered" in p99.ours.void
