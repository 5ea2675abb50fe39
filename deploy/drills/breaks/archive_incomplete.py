"""The worker is away, and Redis gives up what is not copied yet: it evicts, or somebody trims by hand."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from redis import Redis

from drills.drill import Drill
from drills.errors import DrillError
from fleet import waiting
from fleet.unix import get_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

GROUP = "chat.drill-archive"
MESSAGES = 20
COPIED_SECONDS = 30.0


@contextlib.contextmanager
def lost(stand: Stand) -> Iterator[None]:
    """Have something copied, end the worker, say more, take all but the newest away, and start it again."""
    stand.publish(GROUP, {"message": "copied"})
    if not waiting.until(lambda: copied(stand), COPIED_SECONDS):
        raise DrillError("The worker copies nothing.")
    stand.control.stop("worker")
    stand.publish(GROUP, {"message": "lost"}, times=MESSAGES)
    with Redis(unix_socket_path=str(stand.run.redis / "redis.sock")) as redis:
        for key in redis.scan_iter(f"*{GROUP}*", _type="stream"):
            redis.xtrim(key, maxlen=1, approximate=False)
    stand.control.start("worker")
    yield


def copied(stand: Stand) -> bool:
    """Return whether the worker has copied something, and nothing waits."""
    said = get_json(stand.run.root / "worker.sock", "/readyz") or {}
    archive = said.get("jobs", {}).get("archive", {})
    return bool(archive.get("copied")) and not archive["groups_waiting"]


DRILL = Drill(
    name="archive-incomplete",
    alert="FanoutArchiveIncomplete",
    text="Redis gives up publications that the worker has not copied yet",
    breaks=lost,
    step="Let Redis keep",
    heals_itself="Nothing brings back what is lost: the alert ends when nothing more is",
)
