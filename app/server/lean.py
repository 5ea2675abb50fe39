"""Daphne's WebSocket protocol without what costs most of a connection: copies, debug texts, timers and parts in stock.

autobahn gives each connection some fifty attributes, a dozen objects and seven formatted texts for a debug log that
nobody reads. Here the attributes are the class's until they change, the parts are made when they are used, and
the debug log is silent. Behaviour is unchanged; Twisted and autobahn are pinned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from autobahn.twisted.util import peer2str
from autobahn.websocket import protocol as autobahn
from daphne.ws_protocol import WebSocketProtocol

if TYPE_CHECKING:
    from collections.abc import Callable


class QuietLog:
    """autobahn's log, but debug texts go nowhere before they are made."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.debug: Callable[..., None] = lambda *_, **__: None

    def __getattr__(self, level: str) -> Any:
        return getattr(self._log, level)


class Requested(NamedTuple):
    """What a connection asked for."""

    path: str


class Unheard:
    """A Deferred that nobody waits for."""

    def callback(self, result: Any) -> None:
        """Take the result."""


_spare: list[Any] = []
"""Validators that no message needs now: at most as many as messages were ever under way at a time."""


class LeanProtocol(WebSocketProtocol):
    """One WebSocket connection, as Daphne serves it."""

    log = QuietLog(WebSocketProtocol.log)
    is_open: Any = Unheard()
    is_closed: Any = Unheard()
    trafficStats = autobahn.TrafficStats()  # counts them all, and nobody reads it
    utf8validator: Any = None
    send_queue = ()
    """Only chopped writes, a means of autobahn's own tests, would fill it."""

    state = WebSocketProtocol.STATE_CONNECTING
    send_state = WebSocketProtocol.SEND_STATE_GROUND
    data = b""
    inside_message = False
    current_frame: Any = None
    current_frame_masker: Any = None
    message_data = frame_data = control_frame_data = None
    triggered = False
    trackedTimings = None
    _perMessageCompress = None
    wasMaxFramePayloadSizeExceeded = wasMaxMessagePayloadSizeExceeded = False
    closedByMe = failedByMe = droppedByMe = wasClean = False
    wasNotCleanReason = None
    wasOpenHandshakeTimeout = wasCloseHandshakeTimeout = False
    wasServingFlashSocketPolicyFile = False
    localCloseCode = localCloseReason = remoteCloseCode = remoteCloseReason = None
    openHandshakeTimeoutCall = closeHandshakeTimeoutCall = None
    autoPingTimeoutCall = autoPingPending = autoPingPendingCall = autoPingPendingSent = None
    autoPingPendingSeq = 0
    websocket_version = 13
    _wskey: Any = None
    websocket_protocols: Any = None
    protocol_to_accept = None
    path = b""
    websocket_extensions: ClassVar[list[Any]] = []

    __hash__ = object.__hash__  # as Daphne's, by identity, but not in Python
    __eq__ = object.__eq__

    def __init__(self) -> None:
        """Make nothing: what a connection needs beyond its class it gets when it needs it."""

    @property
    def peer(self) -> str:
        """Who is on the other side, for the log."""
        return str(peer2str(self.transport))

    @property
    def request(self) -> Requested:
        """What Daphne's action log asks for; autobahn's request with a second copy of all headers is not kept."""
        return Requested(self.path.decode("ascii"))

    @request.setter
    def request(self, request: Any) -> None:
        self.path = request.path.encode("ascii")

    def connectionMade(self) -> None:
        """Begin. The opening handshake's limit is kept by `check_timeouts`, without a timer for each connection."""
        self.factory.countConnections += 1

    def dataReceived(self, data: bytes) -> None:
        """Take what the client sent."""
        self._dataReceived(data)

    def connectionLost(self, reason: Any = None) -> None:
        """End."""
        autobahn.WebSocketProtocol._connectionLost(self, reason)  # noqa: SLF001 - autobahn is pinned
        self.factory.countConnections -= 1

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: ARG002
        """Write."""
        self.transport.write(data)

    def _onOpen(self) -> None:
        # What only the handshake needed.
        self.http_response_data = self.websocket_extensions_in_use = self._wskey = self.websocket_protocols = None
        self.onOpen()

    def onFrameBegin(self) -> None:
        """Begin a frame; a text message needs a validator until its end."""
        if self.utf8validator is None and self.current_frame.opcode == self.MESSAGE_TYPE_TEXT:
            self.utf8validator = _spare.pop() if _spare else autobahn.Utf8Validator()
        super().onFrameBegin()

    def onMessageEnd(self) -> None:
        """Hand on a message."""
        if not self.failedByMe:
            self.onMessage(b"".join(self.message_data or ()), self.message_is_binary)
        self.message_data = self.current_frame_masker = None
        if self.utf8validator is not None:
            _spare.append(self.utf8validator)
            self.utf8validator = None
