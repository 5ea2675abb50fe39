"""A replica's planned exit, in order: nothing is lost that can be kept."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from server.batches import BATCH_EVERY, batches
from server.frames import text_frame
from server.inbox import is_attached
from server.sockets import ReplicaSocket

if TYPE_CHECKING:
    from server.server import Server
    from server.websocket import ReplicaWebSocket


logger = logging.getLogger(__name__)

SERVICE_RESTART = 1012
RESTART_REASON = "This replica restarts; another one takes you now."
HANDLERS_LIMIT = 10.0
"""Seconds for the consumers' disconnect() and for HTTP answers under way; then they are cancelled."""


async def drain(server: Server) -> None:
    """Leave up to the end of the application. Bounded in time: each step has its limit.

    What each kind of client sees: an open WebSocket the hint to come back, then 1012; one whose handshake is under way
    the same as soon as it is open; an HTTP request its answer, if that comes in time; an event stream or a long poll
    its end, which the application makes by itself when it hears of the drain; who knocks later another replica.
    """
    # 1. Not ready any more: probes are told to look elsewhere, and the application hears that its streams end.
    server.draining.set()

    # 2. Leave nginx: the socket file goes, the next handshake finds another replica; who has already knocked is let in.
    server.ports.withdraw()

    # 3. Close WebSockets in paced batches, so that those who come back do not storm the others. First a moment: who has
    #    just been let in says what it wants.
    await asyncio.sleep(BATCH_EVERY)
    for batch in batches(server.open_sockets()):
        for protocol in batch:
            send_away(protocol)
        await asyncio.sleep(BATCH_EVERY)

    # 4. Wait for the consumers' disconnect() and for HTTP answers under way.
    await _handlers_ended(server)

    # 5. The application's own end, when nobody is left to be told anything.
    if server.lifespan is not None:
        await server.lifespan.stop()
    logger.info("drained")


def send_away(protocol: ReplicaWebSocket) -> None:
    """Tell a client to go to another replica; one whose handshake is under way is told when it is open."""
    if protocol.state == protocol.STATE_OPEN:
        if protocol.farewell is not None:
            ReplicaSocket(protocol).write(text_frame(protocol.farewell), None)
        protocol.close(SERVICE_RESTART, RESTART_REASON)


async def _handlers_ended(server: Server) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + HANDLERS_LIMIT
    if running := _running_applications(server):
        logger.info("all are told to go; waiting for %d handlers, %g s at most", len(running), HANDLERS_LIMIT)
    # In rounds: a connection that is kept alive may have brought one more request.
    while tasks := _running_applications(server):
        if loop.time() >= deadline:
            logger.warning("%d handlers did not end within %g s, cancelled", len(tasks), HANDLERS_LIMIT)
            return
        await asyncio.wait(tasks, timeout=deadline - loop.time())


def _running_applications(server: Server) -> list[asyncio.Future[Any]]:
    return [
        protocol.application_queue.finished() if is_attached(protocol) else details["application_instance"]
        for protocol, details in server.connections.items()
        if is_attached(protocol) or ("application_instance" in details and not details["application_instance"].done())
    ]
