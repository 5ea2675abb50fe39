"""Clients come back after more has been said than is kept."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from redis import Redis

from drills.drill import Drill
from drills.errors import DrillError
from drills.returning import Returning
from fleet import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

GROUP = "chat.drill-short"
CLIENTS = 12
"""More than ten make the alert fire."""
KEPT = 1000
"""Messages of a room (app/demos/chat/policy.py)."""
MESSAGES = KEPT + 100
MESSAGE_BYTES = 1500
"""So that the replicas, too, have not all of them at hand any more: who comes back to one that has is not told."""
COPIED_SECONDS = 60.0
"""Until the worker has copied them: what is not copied is kept."""


@contextlib.contextmanager
def away(stand: Stand) -> Iterator[None]:
    """Leave, have more said than a room keeps, and come back."""
    client = Returning(stand, GROUP)
    stand.publish(GROUP, {"message": "seen"})
    client.leave()
    stand.publish(GROUP, {"message": "missed".ljust(MESSAGE_BYTES)}, times=MESSAGES)
    with Redis(unix_socket_path=str(stand.run.redis / "redis.sock")) as redis:
        if not waiting.until(lambda: trimmed(stand, redis), COPIED_SECONDS):
            raise DrillError(f"After {MESSAGES} messages the room still keeps the first.")
    for _ in range(CLIENTS):
        client.come_back("trimmed")
    yield


def trimmed(stand: Stand, redis: Redis) -> bool:
    """Say one thing more, which takes away what is too much; return whether that has been done."""
    stand.publish(GROUP, {"message": "one more"})
    return any(redis.xlen(key) <= KEPT for key in redis.scan_iter(f"*{GROUP}*", _type="stream"))


DRILL = Drill(
    name="history-too-short",
    alert="FanoutHistoryTooShort",
    text=f"{CLIENTS} clients come back after more was said than a room keeps",
    breaks=away,
    heals_itself="Who has loaded anew is well again: the alert ends when nobody else is told so",
    faster=240,
)
