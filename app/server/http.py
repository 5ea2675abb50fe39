"""Daphne's HTTP request, with the replica's name on every answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.web.http import RESPONSES
from twisted.web.http_headers import Headers

from server import channel
from server.pace import Pace

if TYPE_CHECKING:
    from server.server import Server


for status in HTTPStatus:  # Twisted calls newer ones, 422 for example, unknown
    RESPONSES.setdefault(status.value, status.phrase.encode())


class ReplicaRequest(WebRequest):
    """One HTTP request."""

    server: Server
    pace: Pace | None = None
    _response_started: bool

    def process(self) -> Any:
        """Serve the request, or refuse what must not reach Daphne."""
        if self.server.name:
            # Daphne takes its root path from this header, whoever sent it.
            self.requestHeaders.removeHeader(b"daphne-root-path")
        if objection := self._objection():
            self.basic_error(400, b"Bad Request", objection)
            return None
        self.content.seek(0)
        return super().process()

    def _objection(self) -> str | None:
        """Return the sentence about what Daphne would answer by a traceback in the log, or by no answer at all."""
        is_handshake = self._is_handshake()
        if is_handshake and self.content.read(1):
            # Its body would be taken for frames, and the connection cut without an answer: to nginx a dead replica.
            return "A WebSocket handshake has no body."
        for name in (*self.server.proxy_header_names, *([b"sec-websocket-protocol"] if is_handshake else [])):
            if not all(value.isascii() for value in self.requestHeaders.getRawHeaders(name, ())):
                return f"The header {name.decode('ascii')} has a character that is not ASCII."
        return None

    def _is_handshake(self) -> bool:
        """Whether Daphne takes it for one: by the first header, in letters of any case."""
        return bool(self.requestHeaders.getRawHeaders(b"Upgrade", [b""])[0].lower() == b"websocket")

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Carry out an ASGI message of the application, or Daphne's own error answer."""
        if message.get("type") == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *self.server.headers]}
            if self.channel is not None and not self.producer:
                self.pace = Pace()
                self.registerProducer(self.pace, True)
        super().handle_reply(message)

    async def is_read(self) -> None:
        """Return when the client has read enough of the answer; cut one that reads nothing for as long."""
        if self.pace is not None and not await self.pace.resumed(channel.SECONDS) and self.channel is not None:
            self._abort()

    def finish(self) -> None:
        """Send what is queued, and end the answer."""
        self._keep_no_pace()
        super().finish()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - Twisted's name
        """Let an application that waits for the client go on: it is told."""
        self._keep_no_pace()
        super().connectionLost(reason)

    def application_ended(self, failed: bool) -> None:
        """Leave no client waiting for the rest of an answer that will not come."""
        if self.finished or self.channel is None:
            return
        if self.startedWriting:
            # Not ended as if it were whole: whoever reads it sees that it was cut.
            self._abort()
        elif self._response_started or not failed:  # else Daphne answers 500 by itself
            self._response_started = False  # nothing of it has left
            self.responseHeaders = Headers()
            self.basic_error(500, b"Internal Server Error", "The application has not answered.")

    def _abort(self) -> None:
        """Cut the connection, or of HTTP/2 the stream."""
        getattr(self.channel, "abortConnection", self.channel.transport.abortConnection)()

    def _keep_no_pace(self) -> None:
        if self.pace is not None:
            self.pace.resumeProducing()
            self.pace = None
            if self.channel is not None:
                self.unregisterProducer()


class ReplicaHTTPFactory(HTTPFactory):
    """Makes channels whose requests are ReplicaRequests."""

    protocol = staticmethod(channel.channel)

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """Return the protocol of a new connection."""
        protocol = super().buildProtocol(addr)
        protocol.timeOut = channel.SECONDS
        protocol.requestFactory = ReplicaRequest
        return protocol
