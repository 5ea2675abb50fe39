"""Counts become a row's rates."""

from ops.fleet.row import BUSIEST, LATENCY_TICKS, Rates, Reading


def rates_of(*readings):
    rates = Rates()
    for reading in readings:
        rates.add(reading)
    return rates


def test_the_first_row_has_no_rates_to_tell():
    """One reading is no span of time; what was counted before it is not told as new."""
    numbers = rates_of(Reading(5.0, 100, 1000, 10, (7, 7))).numbers({})
    assert (numbers["publications"], numbers["deliveries"], numbers["handshakes"]) == (0, 0, 0)
    assert numbers["latency"] == [0, 0]


def test_rates_are_those_of_the_last_five_seconds():
    """What was before does not count."""
    readings = [Reading(float(at), 1000 if at < 5 else 1000 + 10 * (at - 5), at, 0) for at in range(11)]
    numbers = rates_of(*readings).numbers({})
    assert (numbers["publications"], numbers["deliveries"]) == (10.0, 1.0)


def test_latencies_are_those_of_the_last_ten():
    """Counted by bound."""
    readings = [Reading(float(at), latencies=(at, 2 * at)) for at in range(30)]
    assert rates_of(*readings).numbers({})["latency"] == [LATENCY_TICKS, 2 * LATENCY_TICKS]


def test_the_busiest_groups_are_those_with_the_most_deliveries():
    """Then those with the most subscriptions; a group that counts anew is not negative."""
    old = {"a": 10, "b": 10, "c": 50}
    new = {"a": 20, "b": 11, "c": 3, "d": 0}
    rates = rates_of(Reading(0.0, groups=old), Reading(1.0, groups=new))
    found = rates.numbers({"a": 1, "b": 100, "c": 5, "d": 9})["groups"]
    assert found == [("b", 100, 1.0), ("a", 1, 10.0), ("d", 9, 0), ("c", 5, 0)]


def test_only_the_busiest_are_named():
    """A row stays small, however many groups there are; their number is told."""
    subscriptions = {f"room.{number}": number for number in range(1, 1000)}
    numbers = rates_of(Reading(0.0)).numbers(subscriptions)
    assert len(numbers["groups"]) == BUSIEST
    assert numbers["groups"][0][0] == "room.999"
    assert numbers["group_count"] == 999
