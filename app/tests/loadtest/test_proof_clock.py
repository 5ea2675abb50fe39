import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.generator.clock import Clock, Reading, best

SECONDS = st.floats(0, 100)


@given(st.floats(-1000, 1000), SECONDS, SECONDS, SECONDS)
def test_a_clock_is_known_within_half_an_exchange(ahead, asked, out, back):
    """However unequal the two ways are."""
    reading = Reading(asked, asked + out + ahead, asked + out + back)
    assert abs(reading.ahead - ahead) <= reading.doubt * (1 if reading.ahead else 2) + 2e-6


@given(SECONDS, SECONDS, SECONDS)
def test_processes_of_one_machine_have_one_clock(asked, out, back):
    """However unequal the two ways are: nothing seems to arrive before it was sent."""
    assert Reading(asked, asked + out, asked + out + back).ahead == 0


def test_the_quickest_exchange_is_believed():
    """It leaves least doubt."""
    quick = Reading(10, 510, 10.1)
    assert best([Reading(1, 509, 9), quick, Reading(20, 530, 22)]) is quick


def test_a_corrected_clock_tells_the_masters_time():
    """In microseconds, and an hour ahead is an hour back."""
    assert abs(Clock(3600).now() - (Clock().now() - 3600 * 10**6)) < 10**6


def test_what_is_sent_behind_a_moment_is_so_for_every_process():
    """Whose clock may be a little behind or ahead."""
    clock = Clock(doubt=0.25)
    assert clock.passed() - clock.now() == pytest.approx(250_000, abs=100_000)
