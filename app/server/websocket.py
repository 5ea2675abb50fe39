"""Daphne's WebSocket protocol, saying what the application says: close codes and reasons, headers, empty messages."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from autobahn.util import encode_truncate
from daphne.utils import parse_x_forwarded_for
from daphne.ws_protocol import WebSocketFactory
from twisted.internet import unix

from server import chronicle, refusal
from server.drain import send_away
from server.slices import SlicedProtocol
from server.sockets import ANSWERS_LIMIT, TOO_SLOW, ReplicaSocket
from server.transport import Lean

if TYPE_CHECKING:
    from server.server import Server
    from server.upgrade import Upgrade

logger = logging.getLogger(__name__)

REASON_LIMIT = 123
"""Bytes of a close reason: a control frame holds 125, two are the code."""
NORMAL, NO_CODE, INTERNAL_ERROR = 1000, 1005, 1011
REQUEST_ID = "X-Request-ID"
PHRASE_LIMIT = 200
"""Characters of a refusal's phrase: what autobahn says fits, a long value of the client that it quotes does not. nginx
takes a replica for dead whose head does not fit into its buffer."""
SENDABLE = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
"""Close codes that a frame may carry (RFC 6455, 7.4, and its registry); any other breaks the protocol."""


class Handshake:
    """What Daphne's `handshake_deferred` is for: it is told how the application has answered."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: ReplicaWebSocket) -> None:
        self._protocol = protocol

    def callback(self, accepted: Any) -> None:
        """Accept, with subprotocol and headers."""
        self._protocol.succeedHandshake(accepted)

    def errback(self, denied: Any) -> None:
        """Refuse, by a ConnectionDeny."""
        self._protocol.failHandshake(denied.reason, denied.code)

    def addErrback(self, handler: Any) -> None:  # noqa: N802 - Twisted's name
        """Nothing can go wrong here that nobody has seen."""


class ReplicaWebSocket(SlicedProtocol):
    """One WebSocket connection."""

    server: Server
    muted: bool
    farewell: bytes | None = None
    """Payload of the text frame that a drain sends before it closes."""
    refusal: dict[str, Any] | None = None
    """The `websocket.http.response.start` of a handshake that is being refused."""
    request_id: bytes | None = None
    """As it came in the handshake; `chronicle.request_id` looks whether it is one."""
    was_open = False
    why = ""
    """The application's reason to refuse the handshake."""
    _last_resort: Any = None
    """The timer that cuts a connection which was to end by itself."""

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Carry out an ASGI message of the application."""
        match message.get("type"):
            case "websocket.accept":
                self._accept(message)
            case "websocket.send":
                self._send(message)
            case "websocket.close":
                self.close(message.get("code") or NORMAL, message.get("reason") or "")
            case "websocket.http.response.start":
                self.refusal = dict(message)
            case "websocket.http.response.body":
                self._refuse(message)
            case _:
                super().handle_reply(message)

    def upgrade(self, head: Upgrade, rest: bytes) -> None:
        """Do for a plain upgrade what autobahn's `processHandshake` and Daphne's `onConnect` do for any."""
        self.socket_opened = self.last_ping = time.time()
        self.path, self.websocket_protocols, self._wskey = head.raw_path, head.subprotocols, head.key
        self.client_addr, self.server_addr = self._addresses(head)
        self.data, self.request_id = rest, head.request_id
        self.handshake_deferred = Handshake(self)
        self.server.protocol_connected(self)
        scope = {
            "type": "websocket",
            "path": head.path,
            "raw_path": head.raw_path,
            "root_path": self.server.root_path,
            "headers": head.headers,
            "query_string": head.query_string,
            "client": self.client_addr,
            "server": self.server_addr,
            "subprotocols": list(head.subprotocols),
        }
        self.applicationCreateWorked(self.server.create_application(self, scope))

    def _addresses(self, head: Upgrade) -> tuple[list[Any] | None, list[Any] | None]:
        """Return the client's and the server's address, as Daphne finds them."""
        client = server = None
        if not isinstance(self.transport, unix.Server):
            peer, host = self.transport.getPeer(), self.transport.getHost()
            client, server = [str(peer.host), peer.port], [str(host.host), host.port]
        names = self.server.proxy_headers
        if names[0] is not None:
            said = {name: value for name, value in head.headers if name in self.server.proxy_header_names}
            client, self.client_scheme = parse_x_forwarded_for(said, *names, client)
        return client, server

    def onPing(self, payload: bytes) -> None:  # noqa: N802 - autobahn's name
        """Answer, but not a client that does not read its answers."""
        if ReplicaSocket(self).queued_bytes <= ANSWERS_LIMIT:
            super().onPing(payload)

    def onOpen(self) -> None:  # noqa: N802 - autobahn's name
        """Begin; a handshake that ends while the replica drains is told to go at once."""
        self.transport.resumeProducing()
        self.was_open = True
        chronicle.opened(self)
        if self.server.action_logger:
            super().onOpen()
        if self.server.draining.is_set():
            send_away(self)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802,N803
        """Tell the application the client's code and reason; there is none if the handshake was malformed."""
        if self not in self.server.connections:
            return
        if not self.muted and hasattr(self, "application_queue"):
            event = {"type": "websocket.disconnect", "code": code or NO_CODE, "reason": reason or ""}
            self.application_queue.put_nowait(event)
            self.muted = True  # Daphne's own event would have no reason
        if self.was_open:
            chronicle.closed(self)
        super().onClose(wasClean, code, reason)

    def close(self, code: int, reason: str) -> None:
        """Close with any code; before the handshake is answered, refuse it."""
        if self.state == self.STATE_CONNECTING:
            if hasattr(self, "handshake_deferred"):
                self.why = reason
                self.serverReject()
        elif self.state == self.STATE_OPEN:
            code = code if code in SENDABLE else INTERNAL_ERROR
            self.server.too_slow += code == TOO_SLOW
            # sendClose refuses 1001, 1012 and 1013 (autobahn#1642).
            self.sendCloseFrame(code=code, reasonUtf8=encode_truncate(reason, REASON_LIMIT))

    def sendCloseFrame(self, *args: Any, **named: Any) -> None:  # noqa: N802 - autobahn's name
        """Say goodbye; nothing is written behind it."""
        super().sendCloseFrame(*args, **named)
        self._hold_back()

    def dropConnection(self, abort: bool = False) -> None:  # noqa: N802 - autobahn's name
        """Hang up; nothing more is written."""
        super().dropConnection(abort)
        self._hold_back()

    def _hold_back(self) -> None:
        if isinstance(self.transport, Lean):
            self.transport.hold_back()

    def _closeConnection(self, abort: bool = False) -> None:  # noqa: N802 - autobahn's name
        """Hang up, at the latest when a client has had the time of a close handshake to read what was sent before."""
        super()._closeConnection(abort)
        if not abort:
            timer, limit = self.factory._batched_timer, self.closeHandshakeTimeout  # noqa: SLF001 - autobahn is pinned
            self._last_resort = timer.call_later(limit, self.transport.abortConnection)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802 - Twisted's name
        """End."""
        if self._last_resort is not None:
            self._last_resort.cancel()
            self._last_resort = None
        super().connectionLost(reason)
        self._hold_back()

    def check_timeouts(self) -> None:
        """Keep Daphne's limits, and autobahn's for the opening handshake."""
        now, server = time.time(), self.server
        age = now - self.socket_opened
        if self.state == self.STATE_OPEN:
            if 0 <= server.websocket_timeout < age:
                self.serverClose()
            elif now - self.last_ping > server.ping_interval and not self.autoPingTimeoutCall:  # one at a time
                self.last_ping = now
                self._sendAutoPing()
        elif self.state == self.STATE_CONNECTING:
            if 0 < self.openHandshakeTimeout < age:
                self.onOpenHandshakeTimeout()
            elif age > server.websocket_connect_timeout:
                self.serverReject()

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 - Daphne's name
        """Close as Daphne's own time limits do."""
        self.close(code or NORMAL, "")

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:  # noqa: N802,N803
        """Answer a refused handshake; it says which replica did."""
        headers = [*(responseHeaders or ()), *self._own_headers()]
        super().sendHttpErrorResponse(code, reason, headers)

    def onOpenHandshakeTimeout(self) -> None:  # noqa: N802 - autobahn's name
        """Tell who still waits for the application: a connection that is cut without an answer is a dead replica."""
        if hasattr(self, "handshake_deferred"):
            self.wasOpenHandshakeTimeout = True
            self.failHandshake(HTTPStatus.SERVICE_UNAVAILABLE.phrase, HTTPStatus.SERVICE_UNAVAILABLE.value)
            self.server.protocol_disconnected(self)  # what the application says from now on is not heard
        else:
            super().onOpenHandshakeTimeout()

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:  # noqa: N802,N803
        """Refuse a handshake; what is logged of the client's values is bounded."""
        if len(reason) > PHRASE_LIMIT:
            logger.debug("a malformed handshake, cut short: %r", reason[:PHRASE_LIMIT])
            reason = HTTPStatus(code).phrase
        chronicle.refused(self, code, self.why or reason)
        super().failHandshake(reason, code, responseHeaders)

    def _own_headers(self) -> list[tuple[str, str]]:
        """Return what the answer to a handshake says of itself: which replica, and under which id it is logged."""
        found = chronicle.request_id(self)
        return [*self.server.headers_text, *([(REQUEST_ID, found)] if found else [])]

    def _accept(self, message: dict[str, Any]) -> None:
        subprotocol = message.get("subprotocol")
        if subprotocol is not None and subprotocol not in self.websocket_protocols:
            raise ValueError(f"The subprotocol {subprotocol!r} was not offered: {self.websocket_protocols}.")
        headers: dict[str, list[str]] = {name: [value] for name, value in self._own_headers()}
        for name, value in message.get("headers") or ():
            headers.setdefault(name.decode("latin1"), []).append(value.decode("latin1"))
        self.serverAccept((subprotocol, headers))

    def _send(self, message: dict[str, Any]) -> None:
        text, data = message.get("text"), message.get("bytes")
        if self.state == self.STATE_CONNECTING:
            raise ValueError("Socket has not been accepted, so cannot send over it")
        if (text is None) == (data is None):
            raise ValueError("websocket.send needs either text or bytes, and not both")
        if self.state != self.STATE_OPEN:
            return  # to someone who goes, as to someone who is gone: nothing, and no error of the application
        if text is None:
            self.serverSend(data, binary=True)
        else:
            self.serverSend(text, binary=False)

    def _refuse(self, message: dict[str, Any]) -> None:
        """Refuse the handshake by the response that the application has given (ASGI websocket.http.response)."""
        if self.refusal is None or not hasattr(self, "handshake_deferred"):
            return
        self.refusal["body"] = self.refusal.get("body", b"") + message.get("body", b"")
        if message.get("more_body"):
            return
        chronicle.refused(self, self.refusal["status"], refusal.sentence(self.refusal))
        own = [(name.encode(), value.encode()) for name, value in self._own_headers()]
        self.sendData(refusal.response(self.refusal, own))
        self.handshake_deferred.addErrback(lambda _: None)
        del self.handshake_deferred
        self.server.protocol_disconnected(self)
        self.dropConnection(abort=False)


class ReplicaWebSocketFactory(WebSocketFactory):
    """Makes ReplicaWebSockets, whose configuration is their class's."""

    def setProtocolOptions(self, **options: Any) -> None:  # noqa: N802 - autobahn's name
        """Configure the sockets that are made from now on."""
        super().setProtocolOptions(**options)
        configuration = {name: getattr(self, name) for name in ReplicaWebSocket.CONFIG_ATTRS}
        accept = staticmethod(configuration.pop("perMessageCompressionAccept"))
        shared = {"factory": self, "server": self.server_class, "perMessageCompressionAccept": accept}
        self.protocol = type(ReplicaWebSocket.__name__, (ReplicaWebSocket,), configuration | shared)

    def buildProtocol(self, addr: Any) -> Any:  # noqa: ARG002,N802 - Twisted's name
        """Return the protocol of a new connection."""
        return self.protocol()
