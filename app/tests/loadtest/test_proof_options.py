import re

import configargparse
import pytest

from proof import options


def read(words):
    """Return what a command line comes to."""
    parser = configargparse.ArgParser()
    options.add(parser)
    return parser.parse_args(words)


@pytest.fixture
def given():
    """The options of a run in which nothing was asked for."""
    return read([])


def test_what_is_meant_by_default_can_be_meant(given):
    """And needs no words to be repeated."""
    assert options.refusal({place: str(value) for place, value in vars(given).items()}) is None
    assert options.chosen(given) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rate": "0"}, "--rate: 0 is not a number from 0.1 on."),
        ({"rate": "nan"}, "--rate: nan is not a number from 0.1 on."),
        ({"rate": "abc"}, "--rate: abc is not a number from 0.1 on."),
        ({"latency_limit": ""}, "--p99:  is not a number from 1 on."),
        ({"rooms": "-1"}, "--rooms: -1 is not a whole number from 0 on."),
        ({"publishers": "0"}, "--publishers: 0 is not a whole number from 1 on."),
        ({"chaos": "reboot"}, "--chaos: reboot is none of restart, redis-kill, reload"),
        ({"path": "ws"}, "--path: ws is no path: it begins with /"),
        ({"plain_path": "/ws/{name}/"}, "--plain-path: /ws/{name}/ is no path: only {room} may stand in braces."),
        ({"plain_path": "/ws/{/"}, "only {room} may stand in braces."),
        ({"path": "/ws/ HTTP/1.1\r\nX: y"}, "write what is no letter of ASCII as %xx."),
        ({"origin": "https://exämple.org"}, "is no origin: give one like https://example.org."),
        ({"kind": "a.b"}, "--kind: 'a.b' is no kind of groups: 1 to 60 of letters"),
        ({"latest_kind": ""}, "--latest-kind: '' is no kind of groups"),
    ],
)
def test_what_the_web_interface_must_not_start_is_told(given, changes, told):
    """It turns texts into numbers and asks no more; the sentence names the option."""
    assert told in options.refusal({**{place: str(value) for place, value in vars(given).items()}, **changes})


def test_the_web_interface_finds_each_value_again(given):
    """It writes the names of its form in another way and back: a digit in one would be lost."""
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", place) for place in vars(given))


def test_what_was_chosen_is_told_in_words_that_choose_it_again(given):
    """For a run of the web interface, which no command line holds."""
    vars(given).update(rate=40.0, chaos="reload@3", plain_path="/rooms/{room}")
    words = options.chosen(given)
    assert words == ["--rate=40.0", "--chaos=reload@3", "--plain-path=/rooms/{room}"]
    assert read(words) == given
