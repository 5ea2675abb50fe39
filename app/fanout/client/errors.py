"""What a client may get instead of a result; what the server refuses is raised as the server's own `fanout.errors`."""

from __future__ import annotations

from fanout.errors import FanoutError


class ClientError(Exception):
    """Base of them all; `str(error)` says what is wrong and what to do."""


class NotConnected(ClientError):
    """There was no connection; what was asked for has not been sent."""


class Unacknowledged(ClientError):
    """The connection or the time was lost before the answer came: it may have happened or not."""


class HandshakeRefused(ClientError):
    """The server does not let this client in, or is none of ours: the same handshake would be refused again.

    `status` is the answer's HTTP status; None when there was none.
    """

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class Closed(ClientError):
    """The server closed the connection for good: `code` is the close code, `reason` what it said."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"The server closed the connection for good, with {code}: {reason or 'it gave no reason'}")
        self.code = code
        self.reason = reason


_BY_CODE = {error.code: error for error in FanoutError.__subclasses__()}


def refusal(code: str, message: str) -> FanoutError:
    """Return an `error` frame's error: of the class that has this code, or one that tells a later version's code."""
    known = _BY_CODE.get(code)
    return known(message) if known else FanoutError(f"{message} ({code})")
