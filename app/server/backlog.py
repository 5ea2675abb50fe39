"""What a client has not read yet of what its application sends: bounded, in bytes and in the time that a send waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from server.sockets import ANSWERS_LIMIT, TOO_SLOW, TOO_SLOW_REASON, queued_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from server.websocket import ReplicaWebSocket

PATIENCE = 5.0
"""Seconds in which a WebSocket's client has to read half of a full queue; only its own application waits so long."""
UNWAITED_LIMIT = 4 * ANSWERS_LIMIT
"""Bytes that others may queue, who never wait: behind them may be the one thread of all synchronous consumers."""
FIRST_LOOK, LAST_LOOK = 0.001, 0.25
"""Seconds between two looks at the queue, doubled each time: Twisted tells of an empty queue, not of half of one."""


async def room_on_socket(protocol: ReplicaWebSocket) -> None:
    """Wait until there is room for one more message; close a client that is too slow to make some."""
    queued = _unread_on_socket(protocol)
    details = protocol.server.connections.get(protocol, {})
    if details.get("application_instance") is not asyncio.current_task():
        is_too_slow = queued > UNWAITED_LIMIT
    else:
        is_too_slow = queued > ANSWERS_LIMIT and not await _is_read(lambda: _unread_on_socket(protocol), PATIENCE)
    if is_too_slow:
        protocol.close(TOO_SLOW, TOO_SLOW_REASON)


def _unread_on_socket(protocol: ReplicaWebSocket) -> int:
    """Return the bytes that wait; nothing waits any more when the connection closes."""
    return queued_bytes(protocol.transport) if protocol.state == protocol.STATE_OPEN else 0


async def _is_read(unread: Callable[[], int], seconds: float) -> bool:
    """Wait, bounded, until half of a full queue is read; return whether it is."""
    loop, pause = asyncio.get_running_loop(), FIRST_LOOK
    deadline = loop.time() + seconds
    while unread() > ANSWERS_LIMIT // 2:
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(2 * pause, LAST_LOOK)
    return True
