"""The Autobahn Testsuite's server cases 1 to 7, 9 and 10, which has no tool for Python 3.

Numbers, octets and expectations are those of https://github.com/crossbario/autobahn-testsuite.
"""

import pytest

from tests.replicas import LIMIT
from tests.server.conformance import closing, framing, limits, utf8
from tests.server.conformance.player import PASSED, play

pytestmark = pytest.mark.slow

APPLICATION = "scripted:application"
CASES = {case.number: case for case in (*framing.CASES, *utf8.CASES, *closing.CASES, *limits.CASES)}
COUNTS = {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1}
EMPTY_MESSAGES = ("1.1.1", "1.2.1", "6.1.1", "6.1.2", "9.7.1", "9.8.1")
"""What stock Daphne fails: it sends no empty message."""
RAISED = ("--websocket-max-message-size", limits.LARGEST, "--websocket-max-frame-size", limits.LARGEST)


@pytest.fixture(scope="module")
def replica(scripted_once):
    """A replica that echoes, its limits raised for the cases 9."""
    return scripted_once.replica(APPLICATION, *RAISED)


@pytest.fixture(scope="module")
def stock(scripted_once):
    """Daphne itself with the same application."""
    return scripted_once.tcp("daphne", "-p", "0", *RAISED, APPLICATION)


@pytest.fixture
def echo(script):
    """The path under which the application echoes."""
    return script({"type": "websocket.accept"})


def test_every_case_of_the_suite_is_here():
    """So many as its own list has, none twice."""
    listed = (*framing.CASES, *utf8.CASES, *closing.CASES, *limits.CASES)
    assert len(listed) == len(CASES)
    assert {group: sum(number.split(".")[0] == group for number in CASES) for group in COUNTS} == COUNTS


@pytest.mark.parametrize("number", CASES)
def test_case(replica, echo, number):
    """The suite passes it."""
    with replica.connection() as raw:
        assert play(CASES[number], raw, echo, LIMIT) in PASSED


@pytest.mark.parametrize("number", EMPTY_MESSAGES)
def test_stock_daphne_fails_a_case(stock, echo, number):
    """The same player with the suite's own patience: the cases above can fail."""
    with stock.connection() as raw:
        assert play(CASES[number], raw, echo, 1) == "nothing more came within 1 s; before: []"


@pytest.mark.parametrize("number", ["1.1.2", "2.5", "6.3.1", "7.9.1"])
def test_stock_daphne_passes_other_cases(stock, echo, number):
    """What it fails is not the player's doing."""
    with stock.connection() as raw:
        assert play(CASES[number], raw, echo, LIMIT) in PASSED


async def test_no_compression_is_negotiated(replica, echo):
    """So the suite's cases 12 and 13, which are about it, do not apply."""
    async with replica.websocket(echo, compression="deflate") as client:
        assert "permessage-deflate" in client.request.headers["Sec-WebSocket-Extensions"]
        assert "Sec-WebSocket-Extensions" not in client.response.headers
