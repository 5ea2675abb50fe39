"""What a client says when it goes reaches the application; test_websocket.py has the other direction."""

import pytest

from tests.replicas import LIMIT
from tests.server.conformance.case import CLOSE, Frame, close
from tests.server.conformance.player import Player

CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999)


def goes(server, path, frame):
    """Connect, send a close frame, and return what the application was told: code and reason."""
    with server.connection() as raw:
        player = Player(raw, path, LIMIT)
        player.send(frame.serialize())
        player.until_end()
    reason = server.said(r"noted: reason (.*)")[1]
    return server.said(r"noted: disconnect (.*)")[1], reason


@pytest.fixture
def accepted(script):
    """The path under which the application accepts."""
    return script({"type": "websocket.accept"})


@pytest.mark.parametrize("code", CODES)
def test_a_clients_code_and_reason_reach_the_application(server, accepted, code):
    """Every code that a client may send."""
    reason = f"bye: {code}"
    assert goes(server, accepted, close(code, reason.encode())) == (str(code), repr(reason))


@pytest.mark.parametrize("reason", ["", "x" * 123, "😀" * 30])
def test_a_reason_of_any_length_reaches_the_application(server, accepted, reason):
    """None, as long as a frame allows, not only ASCII."""
    assert goes(server, accepted, close(4000, reason.encode()))[1] == repr(reason)


def test_a_close_frame_without_a_code_is_1005(server, accepted):
    """As ASGI and RFC 6455 say: a code that is never sent."""
    assert goes(server, accepted, Frame(CLOSE)) == ("1005", "''")


def test_a_client_that_is_cut_off_is_1006(server, accepted):
    """No close frame at all: the application hears of that too."""
    with server.connection() as raw:
        Player(raw, accepted, LIMIT)
    assert server.said(r"noted: disconnect (.*)")[1] == "1006"
