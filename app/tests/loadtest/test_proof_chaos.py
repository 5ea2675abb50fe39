import argparse

import pytest

from proof.generator.chaos import COMMANDS, Chaos, parse, schedule


def test_what_has_no_time_is_spread_over_the_run():
    """Evenly, with quiet before the first and behind the last."""
    assert schedule("restart,redis-kill,reload", 40) == [(10, "restart"), (20, "redis-kill"), (30, "reload")]


def test_a_time_is_kept_and_the_order_is_that_of_the_times():
    """Seconds may be broken."""
    assert schedule("reload@20,restart@2.5", 40) == [(2.5, "restart"), (20, "reload")]


def test_without_an_end_things_happen_every_ten_seconds():
    """A run in the web interface ends when somebody stops it."""
    assert schedule("restart,reload", None) == [(10, "restart"), (20, "reload")]


@pytest.mark.parametrize("text", ["", "restart", "restart@5,reload,redis-kill@7.5", "restart,restart"])
def test_what_there_is_can_be_asked_for(text):
    """Also twice, or nothing."""
    assert parse(text) == text


@pytest.mark.parametrize("text", ["reboot", "restart@", "restart@x", "restart reload", "restart;ls"])
def test_anything_else_is_told(text):
    """The sentence lists what there is."""
    with pytest.raises(argparse.ArgumentTypeError, match=", ".join(COMMANDS)):
        parse(text)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (9.0, "the run ended before second 10: let it run longer."),
        (50.0, "what was done before it took to the end of the run: let it run longer."),
    ],
)
def test_what_was_not_done_is_told_with_its_reason(now, told):
    """Its time had not come, or something else was still under way."""
    [event] = Chaos([(10.0, "reload")], lambda: now).finish()
    assert (event.name, event.failed, event.detail) == ("reload", True, told)
