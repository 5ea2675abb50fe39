"""Daphne's WebSocket protocol without what costs most of a connection: copies, debug texts, timers and parts in stock.

autobahn gives each connection some fifty attributes, a dozen objects and seven formatted texts for a debug log that
nobody reads. Here the attributes are the class's until they change, the parts are made when they are used, and
the debug log is silent. Behaviour is unchanged; Twisted and autobahn are pinned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

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
    trafficStats = autobahn.TrafficStats()  # noqa: N815 - autobahn's name; counts them all, and nobody reads it
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
    trackedTimings = None  # noqa: N815
    _perMessageCompress = None  # noqa: N815
    wasMaxFramePayloadSizeExceeded = wasMaxMessagePayloadSizeExceeded = False  # noqa: N815
    closedByMe = failedByMe = droppedByMe = wasClean = False  # noqa: N815
    wasNotCleanReason = None  # noqa: N815
    wasOpenHandshakeTimeout = wasCloseHandshakeTimeout = False  # noqa: N815
    wasServingFlashSocketPolicyFile = False  # noqa: N815
    localCloseCode = localCloseReason = remoteCloseCode = remoteCloseReason = None  # noqa: N815
    openHandshakeTimeoutCall = closeHandshakeTimeoutCall = None  # noqa: N815
    autoPingTimeoutCall = autoPingPending = autoPingPendingCall = autoPingPendingSent = None  # noqa: N815
    autoPingPendingSeq = 0  # noqa: N815
    protocol_to_accept = None
    websocket_extensions: ClassVar[list[Any]] = []

    __hash__ = object.__hash__  # as Daphne's, by identity, but not in Python
    __eq__ = object.__eq__

    def __init__(self) -> None:
        """Make nothing: what a connection needs beyond its class it gets when it needs it."""

    @property
    def peer(self) -> str:
        """Who is on the other side, for the log."""
        return str(peer2str(self.transport))

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Begin. The opening handshake's limit is kept by `check_timeouts`, without a timer for each connection."""
        self.factory.countConnections += 1

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take what the client sent."""
        self._dataReceived(data)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802 - Twisted's name
        """End."""
        autobahn.WebSocketProtocol._connectionLost(self, reason)  # noqa: SLF001 - autobahn is pinned
        self.factory.countConnections -= 1

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: ARG002,N802
        """Write."""
        self.transport.write(data)

    def _onOpen(self) -> None:  # noqa: N802
        # What only the handshake needed.
        self.http_response_data = self.websocket_extensions_in_use = self._wskey = self.websocket_protocols = None
        self.onOpen()

    def onFrameBegin(self) -> None:  # noqa: N802
        """Begin a frame; a text message needs a validator until its end."""
        if self.utf8validator is None and self.current_frame.opcode == self.MESSAGE_TYPE_TEXT:
            self.utf8validator = _spare.pop() if _spare else autobahn.Utf8Validator()
        super().onFrameBegin()

    def onMessageEnd(self) -> None:  # noqa: N802
        """Hand on a message."""
        if not self.failedByMe:
            self.onMessage(b"".join(self.message_data or ()), self.message_is_binary)
        self.message_data = self.current_frame_masker = None
        if self.utf8validator is not None:
            _spare.append(self.utf8validator)
            self.utf8validator = None
