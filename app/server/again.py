"""Sends a request back to nginx, from where it comes again: that it ended shows nginx that the replica lives.

nginx takes a replica that failed once for dead, tries it with one request in two seconds, and believes in it again when
such a request has ended well. A WebSocket or a stream does not end.
Why so: deploy/decisions/0010-a-request-is-sent-back.md.
"""

from __future__ import annotations

import math
import re
import time

EVERY = 1.0
"""Seconds between two: shorter than nginx' two seconds, so that a request which it tries on trust is sent back."""
_LEAVE = re.compile(rb"\r\nX-Send-Back: (@[a-z-]++)\r\n")
"""nginx' leave to send this request back, and where to; it takes it away from what a client sends."""
_ANSWER = b"HTTP/1.1 503 Service Unavailable\r\nX-Accel-Redirect: %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class SendBack:
    """Decides for one replica which requests are sent back: at most one in EVERY seconds."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = -math.inf

    def answer(self, data: bytes, now: float | None = None) -> bytes | None:
        """Return the answer that sends back the request, or None to serve it.

        `data` are the first bytes of a connection. Only a head that is all that came is sent back: what lies unread
        in a closed socket is an error to nginx. `now` is in seconds of the monotonic clock.
        """
        now = time.monotonic() if now is None else now
        if now - self._last < EVERY:
            return None
        is_alone = data.startswith(b"GET ") and data.find(b"\r\n\r\n") == len(data) - len(b"\r\n\r\n")
        leave = _LEAVE.search(data) if is_alone else None
        if leave is None:
            return None
        self._last = now
        return _ANSWER % leave[1]
