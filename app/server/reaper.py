"""Ends what is left of connections and their applications, as Daphne does, without a look at those that only wait.

Daphne goes through all connections each second: with ten thousand idle ones that took 10 ms, and made so many tuples
that the garbage collector went through all objects every 15 s, for 150 ms (AMD EPYC).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from server.server import Server

logger = logging.getLogger(__name__)


class Reaper:
    """The connections of a server that have an application or are gone."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._watched: dict[Any, None] = {}

    def watch(self, protocol: Any) -> None:
        """Look at a connection from now on, until it only waits or is out of the server's list."""
        self._watched[protocol] = None

    def look(self) -> None:
        """Cancel what did not end in time, tell of what broke, and forget what is over. Called once a second."""
        for protocol in tuple(self._watched):
            details = self._server.connections.get(protocol, {})
            try:
                self._settle(protocol, details)
            except Exception:  # of one connection; all others are seen to
                logger.exception("%r could not be told that its application broke", protocol)
            if protocol not in self._server.connections or details.keys().isdisjoint(
                ("application_instance", "disconnected")
            ):
                del self._watched[protocol]

    def _settle(self, protocol: Any, details: dict[str, Any]) -> None:
        application, gone_at = details.get("application_instance"), details.get("disconnected")
        if application is not None and not application.done():
            if gone_at and time.time() - gone_at > self._server.application_close_timeout:
                logger.warning("%r of %r took too long to shut down and was killed", application, protocol)
                application.cancel()
            return
        if application is not None:
            del details["application_instance"]  # first: what can't be told can't be told again
            self._tell(protocol, application, is_gone=bool(gone_at))
        if gone_at:
            self._server.forget(protocol)

    def _tell(self, protocol: Any, application: asyncio.Future[Any], *, is_gone: bool) -> None:
        error = None if application.cancelled() else application.exception()
        if isinstance(error, KeyboardInterrupt):
            self._server.stop()
        elif error is not None:
            logger.error("Exception inside application: %s", error, exc_info=error)
            if not is_gone:
                protocol.handle_exception(error)
