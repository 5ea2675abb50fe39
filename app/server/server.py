"""Daphne's server as a replica: named, found by its socket, and able to say goodbye."""

from __future__ import annotations

# Daphne installs Twisted's reactor; nothing of Twisted may be imported before it.
from daphne.server import Server as DaphneServer, twisted_loop  # isort: skip

import asyncio
import logging
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList

from server import backlog, ending
from server.drain import drain
from server.entrance import EntranceFactory
from server.http import ReplicaHTTPFactory, ReplicaRequest
from server.inbox import Inbox, is_attached
from server.lifespan import Lifespan
from server.ports import Ports
from server.reaper import Reaper
from server.sockets import ReplicaSocket
from server.status import Status
from server.transport import LEAN
from server.websocket import ReplicaWebSocket, ReplicaWebSocketFactory

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

logger = logging.getLogger(__name__)

CHECK_EVERY = 2
"""Seconds between two looks at the limits of all connections; Daphne's."""
REAP_EVERY = 1
"""Seconds between two looks at applications that may have ended; Daphne's."""
CHECKS = 200
"""Connections that are looked at in a row: 6 ms if each gets a ping."""
CLOSE_HANDSHAKE_LIMIT = 5
"""Seconds in which a client has to read up to our close frame and answer it."""


class Server(DaphneServer):
    """A drop-in for daphne.server.Server.

    `name` is the replica's name, sent as `X-Replica` and given to the application as the ASGI extension
    `fanout.replica`; without it the server is silent about itself. `pid_file` holds the process id from the first
    listening socket to the exit. `listening` is called when all endpoints are tried. `lifespan` runs the
    application's lifespan too, of which an application made for Daphne may know nothing.
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
        self.ports = Ports(pid_file)
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
        self._reaper = Reaper(self)
        self.too_slow = 0
        """Clients that were cut off because they did not read."""
        self._extensions = {"fanout.replica": Status(self).extension()} if name else {}
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
            self.ports.remove_files()

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
        if getattr(port, "factory", None) is self.http_factory:  # behind TLS or the PROXY protocol it is another
            port.factory = EntranceFactory(self)
            port.transport = LEAN.get(type(port), port.transport)
            self.entrances.append(port.factory)
        # autobahn would cut a client whose message is too large, and a slow one a second after its close frame.
        # What a call does not name it keeps, but for the null origin, which Daphne allows.
        limit = CLOSE_HANDSHAKE_LIMIT
        self.ws_factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=limit, allowNullOrigin=True)
        self.ports.add(port)
        logger.info("%s listens on %s", self.name or "server", port)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Run the application for a connection, with our extensions in its scope; return what takes its events."""
        if self._extensions:
            scope["extensions"] = dict(self._extensions)
        if not isinstance(protocol, ReplicaWebSocket):
            queue = super().create_application(protocol, scope)
            self._reaper.watch(protocol)
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
        self.run_application(protocol, application)
        return inbox

    def run_application(self, protocol: Any, application: Coroutine[Any, Any, None]) -> None:
        """Run what serves a connection, under Daphne's limits: an exception is logged and closes with 1011."""
        self.connections[protocol]["application_instance"] = asyncio.get_event_loop().create_task(application)
        self._reaper.watch(protocol)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Carry out an ASGI message, when a WebSocket's client has read enough of those before, HTTP's of this one."""
        if message.get("type") == "websocket.send" and isinstance(protocol, ReplicaWebSocket):
            await backlog.room_on_socket(protocol)
        await super().handle_reply(protocol, message)
        if isinstance(protocol, ReplicaRequest):
            await protocol.is_read()

    def protocol_disconnected(self, protocol: Any) -> None:
        """Remember when a connection went; its application has some seconds to end."""
        super().protocol_disconnected(protocol)
        self._reaper.watch(protocol)

    def forget(self, protocol: Any) -> None:
        """Let go of a connection that is gone, and it of its inbox: in a circle they would wait for the collector."""
        self.connections.pop(protocol, None)
        if isinstance(protocol, ReplicaWebSocket) and hasattr(protocol, "application_queue"):
            del protocol.application_queue

    def application_checker(self) -> None:
        """Reap applications that have ended, and connections that are gone; called once a second."""
        reactor.callLater(REAP_EVERY, self.application_checker)
        self._reaper.look()

    def timeout_checker(self) -> None:
        """Keep every connection's limits; called two seconds after the last one is through."""
        for entrance in self.entrances:
            entrance.hand_over_silent()
        self._check_timeouts(list(self.connections))

    def _check_timeouts(self, protocols: list[Any]) -> None:
        """Check some, the others when all else on the loop had its turn: ten thousand pings take 0.3 s."""
        for protocol in protocols[:CHECKS]:
            if protocol in self.connections:
                try:
                    protocol.check_timeouts()
                except Exception:  # of one connection; all others are seen to
                    logger.exception("the limits of %r could not be checked", protocol)
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

    def _running(self) -> None:
        self._listening()
        if self.lifespan is not None:
            self.lifespan.start()

    def _on_signal(self, name: str) -> None:
        if self._drain is None:
            logger.info("%s: draining, %d sockets open; a second signal ends at once", name, len(self.open_sockets()))
            self._drain = asyncio.get_event_loop().create_task(self.drain())
            ending.end_within(ending.DRAIN_LIMIT, self.ports.remove_files)
        else:
            logger.warning("%s again: ending at once, open sockets are cut", name)
            ending.end_within(ending.CUT_LIMIT, self.ports.remove_files)
            self.stop()

    # -- the planned exit ---------------------------------------------------------------------------

    async def drain(self) -> None:
        """Leave without losing anything that can be kept, as drain.py has it, then stop. Bounded in time."""
        try:
            await drain(self)
        finally:
            self.stop()

    def open_sockets(self) -> list[Any]:
        """Return the WebSockets that are not gone."""
        return [
            protocol
            for protocol, details in self.connections.items()
            if isinstance(protocol, ReplicaWebSocket) and "disconnected" not in details
        ]


def _answered(request: ReplicaRequest, application: asyncio.Future[Any]) -> None:
    request.application_ended(application.cancelled() or application.exception() is not None)


def _finished() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_event_loop().create_future()
    future.set_result(None)
    return future
