"""Daphne's server as a replica: named, found by its socket, and able to say goodbye."""

from __future__ import annotations

# Daphne installs Twisted's reactor; nothing of Twisted may be imported before it.
from daphne.server import Server as DaphneServer, twisted_loop  # isort: skip

import asyncio
import logging
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor, unix
from twisted.internet.defer import Deferred, DeferredList

from server import backlog, ending
from server.drain import drain
from server.entrance import EntranceFactory
from server.http import ReplicaHTTPFactory, ReplicaRequest
from server.inbox import Inbox, is_attached
from server.lifespan import Lifespan
from server.slot import SUFFIX, SocketFile
from server.sockets import ReplicaSocket, queued_bytes
from server.transport import LEAN
from server.websocket import ReplicaWebSocket, ReplicaWebSocketFactory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

CHECK_EVERY = 2
"""Seconds between two looks at the limits of all connections; Daphne's."""
CHECKS = 200
"""Connections that are looked at in a row: 6 ms if each gets a ping."""
CLOSE_HANDSHAKE_LIMIT = 5
"""Seconds in which a client has to read up to our close frame and answer it."""


class Server(DaphneServer):
    """A drop-in for daphne.server.Server.

    `name` is the replica's name, sent as `X-Replica` and given to the application as the ASGI extension
    `fanout.replica`; without it the server is silent about itself. `pid_file` holds the process id
    from the first listening socket to the exit. `listening` is called when all endpoints are tried.
    `lifespan` runs the application's lifespan too, of which an application made for Daphne may know nothing.
    """

    def __init__(
        self,
        application: Any,
        *args: Any,
        name: str = "",
        pid_file: Path | None = None,
        listening: Callable[[], None] = lambda: None,
        lifespan: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(application, *args, **options)
        self.name = name
        self._listening = listening
        self.pid_file = pid_file
        self.headers_text = [("X-Replica", name)] if name else []
        self.proxy_headers = (
            self.proxy_forwarded_address_header,
            self.proxy_forwarded_port_header,
            self.proxy_forwarded_proto_header,
        )
        self.proxy_header_names = {name.lower().encode() for name in self.proxy_headers if name}
        self.headers = [(key.encode(), value.encode()) for key, value in self.headers_text]
        self.draining = asyncio.Event()
        self.entrances: list[EntranceFactory] = []
        self.ports: list[Any] = []
        self.files: list[SocketFile] = []
        self.too_slow = 0
        """Clients that were cut off because they did not read."""
        self._started = time.monotonic()
        self._extensions: dict[str, Any] = {}
        if name:
            self._extensions["fanout.replica"] = {
                "name": name,
                "status": self.status,
                "draining": self.draining,
                "queued_bytes": self.queued_bytes,
                "neighbours": self.neighbours,
            }
        self.lifespan = Lifespan(application, dict(self._extensions)) if lifespan else None
        self._drain: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Listen and serve until stopped."""
        if self.signal_handlers:  # type: ignore[has-type]
            # Before the pid file and the socket, which say "I am here": who is told to go then goes as planned.
            for number in ending.signals():
                twisted_loop.add_signal_handler(number, self._on_signal, signal.Signals(number).name)
            reactor.addSystemEventTrigger("after", "shutdown", ending.end_at_next_signal)
        # Twisted's handler would stop the reactor at once; ours drains first.
        self.signal_handlers = False
        reactor.callWhenRunning(self._running)
        try:
            super().run()
        finally:
            self._remove_files()

    # Daphne's run() makes its factories itself; what it stores here is replaced by ours.

    @property
    def http_factory(self) -> ReplicaHTTPFactory:
        """Makes HTTP connections."""
        return self._http_factory

    @http_factory.setter
    def http_factory(self, _stock: Any) -> None:
        self._http_factory = ReplicaHTTPFactory(self)

    @property
    def ws_factory(self) -> ReplicaWebSocketFactory:
        """Makes WebSocket connections."""
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, _stock: Any) -> None:
        self._ws_factory = ReplicaWebSocketFactory(self, server=self.server_name)

    def listen_success(self, port: Any) -> None:
        """Remember the port, so that a drain can close it."""
        super().listen_success(port)
        self.ports.append(port)
        if getattr(port, "factory", None) is self.http_factory:  # behind TLS or the PROXY protocol it is another
            port.factory = EntranceFactory(self)
            port.transport = LEAN.get(type(port), port.transport)
            self.entrances.append(port.factory)
        # autobahn would cut a client whose message is too large, and a slow one a second after its close frame.
        # What a call does not name it keeps, but for the null origin, which Daphne allows.
        limit = CLOSE_HANDSHAKE_LIMIT
        self.ws_factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=limit, allowNullOrigin=True)
        if self.pid_file is not None:
            self.pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
        logger.info("%s listens on %s", self.name or "server", port)
        if isinstance(port, unix.Port) and (path := port.getHost().name):
            self.files.append(SocketFile(Path(os.fsdecode(path))))
            # Twisted would remove whatever is there when it closes, and by then the path may be a successor's.
            port._bindPath = b"\0"  # noqa: SLF001 - Twisted is pinned

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Run the application for a connection, with our extensions in its scope; return what takes its events."""
        if self._extensions:
            scope["extensions"] = dict(self._extensions)
        if not isinstance(protocol, ReplicaWebSocket):
            queue = super().create_application(protocol, scope)
            if isinstance(protocol, ReplicaRequest) and queue is not None:
                task = self.connections[protocol]["application_instance"]
                task.add_done_callback(partial(_answered, protocol))
            return queue
        scope["asgi"] = {"version": "3.0"}
        scope.setdefault("extensions", {})["websocket.http.response"] = {}
        scope["extensions"]["fanout.socket"] = {"socket": ReplicaSocket(protocol)}
        inbox = Inbox(protocol)
        send = partial(self.handle_reply, protocol)
        application = inbox.run(partial(self.application, scope=scope, receive=inbox.get, send=send))
        self.connections[protocol]["application_instance"] = asyncio.get_event_loop().create_task(application)
        return inbox

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Carry out an ASGI message, when a WebSocket's client has read enough of those before, HTTP's of this one."""
        if message.get("type") == "websocket.send" and isinstance(protocol, ReplicaWebSocket):
            await backlog.room_on_socket(protocol)
        await super().handle_reply(protocol, message)
        if isinstance(protocol, ReplicaRequest):
            await protocol.is_read()

    def timeout_checker(self) -> None:
        """Keep every connection's limits; called two seconds after the last one is through."""
        for entrance in self.entrances:
            entrance.hand_over_silent()
        self._check_timeouts(list(self.connections))

    def _check_timeouts(self, protocols: list[Any]) -> None:
        """Check some, the others when all else on the loop had its turn: ten thousand pings take 0.3 s."""
        for protocol in protocols[:CHECKS]:
            if protocol in self.connections:
                protocol.check_timeouts()
        if len(protocols) > CHECKS:
            reactor.callLater(0, self._check_timeouts, protocols[CHECKS:])
        else:
            reactor.callLater(CHECK_EVERY, self.timeout_checker)

    def kill_all_applications(self) -> Any:
        """Cancel what still runs; a connection whose application has ended already is no error."""
        idle = []
        for protocol, details in self.connections.items():
            details.setdefault("application_instance", _finished())
            if details["application_instance"].done() and is_attached(protocol):
                idle.append(protocol.application_queue.finish())
        told = Deferred.fromFuture(asyncio.gather(*idle, return_exceptions=True))
        return DeferredList([super().kill_all_applications(), told])

    def status(self) -> dict[str, Any]:
        """Return what the replica knows of itself: open WebSockets, uptime in seconds, whether it drains, and more."""
        return {
            "connections": len(self.open_sockets()),
            "uptime": time.monotonic() - self._started,
            "draining": self.draining.is_set(),
            "too_slow": self.too_slow,
        }

    async def queued_bytes(self) -> int:
        """Return what waits in this process for all WebSockets; looks at some at a time."""
        queued = 0
        for part in slices_of(self.open_sockets(), CHECKS):
            queued += sum(queued_bytes(socket.transport) for socket in part if socket.state == socket.STATE_OPEN)
            await asyncio.sleep(0)
        return queued

    def neighbours(self) -> list[str]:
        """Return the names of all sockets in the folder of this replica's own, its own among them."""
        folders = {file.path.parent for file in self.files}
        return sorted(path.stem for folder in folders for path in folder.glob(f"*{SUFFIX}"))

    def _running(self) -> None:
        self._listening()
        if self.lifespan is not None:
            self.lifespan.start()

    def _on_signal(self, name: str) -> None:
        if self._drain is None:
            logger.info("%s: draining, %d sockets open; a second signal ends at once", name, len(self.open_sockets()))
            self._drain = asyncio.get_event_loop().create_task(self.drain())
            ending.end_within(ending.DRAIN_LIMIT, self._remove_files)
        else:
            logger.warning("%s again: ending at once, open sockets are cut", name)
            ending.end_within(ending.CUT_LIMIT, self._remove_files)
            self.stop()

    # -- the planned exit ---------------------------------------------------------------------------

    async def drain(self) -> None:
        """Leave without losing anything that can be kept, as drain.py has it, then stop. Bounded in time."""
        try:
            await drain(self)
        finally:
            self.stop()

    def _remove_files(self) -> None:
        """Remove the sockets and the pid file if they are still ours: a successor may have made its own."""
        for file in self.files:
            file.remove()
        try:
            if self.pid_file is not None and self.pid_file.read_text(encoding="ascii") == f"{os.getpid()}\n":
                self.pid_file.unlink()
        except FileNotFoundError:
            logger.debug("the pid file is gone already")

    def open_sockets(self) -> list[Any]:
        """Return the WebSockets that are not gone."""
        return [
            protocol
            for protocol, details in self.connections.items()
            if isinstance(protocol, ReplicaWebSocket) and "disconnected" not in details
        ]


def slices_of(items: list[Any], size: int) -> Iterator[list[Any]]:
    """Yield the items, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _answered(request: ReplicaRequest, application: asyncio.Future[Any]) -> None:
    request.application_ended(application.cancelled() or application.exception() is not None)


def _finished() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_event_loop().create_future()
    future.set_result(None)
    return future
