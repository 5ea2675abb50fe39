"""Daphne's HTTP request, with the replica's name on every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daphne.http_protocol import HTTPFactory, WebRequest

from server import channel

if TYPE_CHECKING:
    from server.server import Server


class ReplicaRequest(WebRequest):
    """One HTTP request."""

    server: Server

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
        super().handle_reply(message)


class ReplicaHTTPFactory(HTTPFactory):
    """Makes channels whose requests are ReplicaRequests."""

    protocol = staticmethod(channel.channel)

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """Return the protocol of a new connection."""
        protocol = super().buildProtocol(addr)
        protocol.timeOut = channel.SECONDS
        protocol.requestFactory = ReplicaRequest
        return protocol
