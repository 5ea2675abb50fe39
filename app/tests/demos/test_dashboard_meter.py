"""Counts become rates."""

from demos.dashboard.meter import SMOOTH, TICK, Meter, Reading, read_now
from fanout.counters import counters


def test_rates_are_those_of_the_last_second():
    """Steady work has a steady rate, however it falls on the ticks; what was before is forgotten."""
    meter = Meter()
    for tick in range(3 * SMOOTH):
        at = tick * TICK
        numbers = meter.numbers(Reading(at, 0.5 * at, round(25 * at), round(1000 * at)), 0.0)
    assert abs(numbers["publications"] - 25) <= 1
    assert abs(numbers["deliveries"] - 1000) <= 1
    assert numbers["cpu"] == 50.0
    for tick in range(3 * SMOOTH, 5 * SMOOTH):
        numbers = meter.numbers(Reading(tick * TICK, numbers["cpu_seconds"], 75, 3000), 0.0)
    assert (numbers["publications"], numbers["deliveries"], numbers["cpu"]) == (0.0, 0.0, 0.0)


def test_the_first_reading_after_a_pause_claims_nothing():
    """What happened while nobody looked is no rate of now."""
    meter = Meter()
    meter.numbers(Reading(0.0, 0.0, 0, 0), 0.0)
    meter.clear()
    numbers = meter.numbers(Reading(100.0, 50.0, 10_000, 10_000), 0.0123)
    assert (numbers["publications"], numbers["cpu"], numbers["lag"]) == (0.0, 0.0, 12.3)


def test_a_tick_that_came_early_is_no_lag():
    """Late is late; the other way is nothing."""
    assert Meter().numbers(Reading(0.0, 0.0, 0, 0), -0.001)["lag"] == 0.0


def test_a_reading_is_of_this_process():
    """Its counters, its CPU."""
    reading = read_now()
    assert reading.publications == counters.publications
    assert reading.cpu > 0
