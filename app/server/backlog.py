"""What a client has not read yet of what its application sends: bounded, in bytes and in the time that a send waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from server.sockets import ANSWERS_LIMIT, TOO_SLOW, TOO_SLOW_REASON, ReplicaSocket

if TYPE_CHECKING:
    from server.websocket import ReplicaWebSocket

PATIENCE = 5.0
"""Seconds in which a client has to read half of a full queue. Only its own connection's application waits so long."""
UNWAITED_LIMIT = 4 * ANSWERS_LIMIT
"""Bytes that others may queue, who never wait: behind them may be the one thread of all synchronous consumers."""
FIRST_LOOK, LAST_LOOK = 0.001, 0.25
"""Seconds between two looks at the queue, doubled each time: Twisted tells of an empty queue, not of half of one."""


async def room(protocol: ReplicaWebSocket) -> None:
    """Wait until there is room for one more message; close a client that is too slow to make some."""
    details = protocol.server.connections.get(protocol, {})
    if details.get("application_instance") is asyncio.current_task():
        if _is_over(protocol, ANSWERS_LIMIT) and not await _has_read(protocol):
            protocol.close(TOO_SLOW, TOO_SLOW_REASON)
    elif _is_over(protocol, UNWAITED_LIMIT):
        protocol.close(TOO_SLOW, TOO_SLOW_REASON)


async def _has_read(protocol: ReplicaWebSocket) -> bool:
    """Wait, bounded, until half of a full queue is read, or the connection is closed; return whether that is so."""
    loop, pause = asyncio.get_running_loop(), FIRST_LOOK
    deadline = loop.time() + PATIENCE
    while protocol.state == protocol.STATE_OPEN and _is_over(protocol, ANSWERS_LIMIT // 2):
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(2 * pause, LAST_LOOK)
    return True


def _is_over(protocol: ReplicaWebSocket, limit: int) -> bool:
    return ReplicaSocket(protocol).queued_bytes > limit
