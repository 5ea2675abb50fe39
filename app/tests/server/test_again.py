import asyncio
import re

import pytest

from server.again import EVERY, SendBack
from tests.server.test_entrance import KEY, answer

LEAVE = "X-Send-Back: @again"


def head(*lines, method="GET"):
    """Return a request's head with these lines among others."""
    return "\r\n".join([f"{method} /x?a=b HTTP/1.1", "Upgrade: websocket", *lines, "Host: a", "", ""]).encode()


def test_a_request_with_leave_is_sent_back():
    """To the place that nginx names, by an answer without a body, on a connection that ends."""
    said = SendBack().answer(head(LEAVE), 0)
    assert said.startswith(b"HTTP/1.1 503 ")
    assert said.endswith(b"\r\nX-Accel-Redirect: @again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def test_at_most_one_in_a_second_is_sent_back():
    """Those between are served; the time goes by what was sent back, not by what was asked."""
    send_back = SendBack()
    times = [0, EVERY / 2, EVERY * 0.99, EVERY, EVERY * 1.5, EVERY * 2]
    assert [send_back.answer(head(LEAVE), now) is not None for now in times] == [True, False, False, True, False, True]


@pytest.mark.parametrize(
    "data",
    [
        head(), head(LEAVE, method="POST"), head(LEAVE) + b"rest", head(LEAVE)[:-1], head("X-Send-Back: @a b"),
        head("X-Send-Back: /path"), head("X-A: X-Send-Back: @again"), head() + LEAVE.encode() + b"\r\n\r\n", b"",
        b"\r\n", b"GET /\r\n\r\n",
    ],
)  # fmt: skip
def test_anything_else_is_served(data):
    """Without leave, with a body, in part; and it leaves the next with leave its turn."""
    send_back = SendBack()
    assert send_back.answer(data, 0) is None
    assert send_back.answer(head(LEAVE), 0) is not None


async def test_a_replica_sends_one_back_and_serves_the_next(scripted):
    """The first request of its life: until then nginx may hold it for dead."""
    server = await asyncio.to_thread(scripted.replica, "telling:application")
    lines = ["Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}"]
    assert b"\r\nX-Accel-Redirect: @again\r\n" in await answer(server, head(*lines, LEAVE))
    assert re.match(rb"HTTP/1\.1 101 ", await answer(server, head(*lines)))
