"""Twisted's HTTP/1.1 connection, whose client has to get on with its request."""

from __future__ import annotations

from typing import Any

from twisted.web.http import HTTPChannel, _GenericHTTPChannelProtocol

SECONDS = 60
"""A client has so long to come up with a whole request, or with PROGRESS bytes of a long one."""
PROGRESS = 64 * 1024
"""Bytes, more than any head has. nginx collects a body before a replica sees it, and hands it over at once."""


class ReplicaChannel(HTTPChannel):
    """One connection. Twisted's own timeout begins anew with each byte: one a minute would hold it for ever."""

    _bytes = 0

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take what came."""
        self._bytes += len(data)
        super().dataReceived(data)

    def resetTimeout(self) -> None:  # noqa: N802 - Twisted's name
        """Begin the timeout anew if enough has come."""
        if self._bytes >= PROGRESS:
            self._bytes = 0
            super().resetTimeout()


def channel() -> Any:
    """Return the protocol of a new connection, which becomes HTTP/2 where TLS has negotiated that."""
    return _GenericHTTPChannelProtocol(ReplicaChannel())
