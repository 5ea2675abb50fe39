"""Somebody deletes what Redis and the database hold; a backup was made before."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import psycopg
from redis import Redis

from drills import postgres, runbook
from drills.drill import Drill
from drills.errors import DrillError
from drills.returning import Returning
from fleet import waiting
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

GROUP = "chat.drill-kept"
KEPT, LATER = 3, 2
"""Messages in the backup, and after it."""
COPIED_SECONDS = 30.0
COUNT = 'SELECT count(*) FROM fanout_archive_archivedpublication WHERE "group" = %s'
PARTS = ("Redis", "PostgreSQL")
"""How the comments begin in both runbooks."""


def with_postgres(stand: Stand) -> dict[str, str]:
    """Have the fleet keep its data in a PostgreSQL of the drill's own."""
    return {"FANOUT_DATABASE": postgres.start(stand)}


@contextlib.contextmanager
def deleted(stand: Stand) -> Iterator[None]:
    """Make a backup by its runbook, say more, delete everything, and come back."""
    stand.publish(GROUP, {"message": "kept"}, times=KEPT)
    if not waiting.until(lambda: rows(stand) == KEPT, COPIED_SECONDS):
        raise DrillError(f"The worker has not copied {KEPT} messages into the database.")
    for step in runbook.mitigation(REPOSITORY / "deploy/runbooks/back-up.md", PARTS):
        for command in step.commands:
            stand.must(command)
    stand.publish(GROUP, {"message": "later"}, times=LATER)
    client = Returning(stand, GROUP)
    client.leave()
    stand.manage("flush", "--no-input")
    with Redis(unix_socket_path=str(stand.run.redis / "redis.sock")) as redis:
        redis.flushall()
    client.come_back("lost")
    yield


def restored(stand: Stand) -> None:
    """Raise DrillError unless both hold what the backup holds."""
    if (found := rows(stand)) != KEPT:
        raise DrillError(f"The database holds {found} messages of {KEPT}.")
    said = [data["message"] for data in Returning(stand, GROUP).newest(KEPT + LATER)]
    if said != ["kept"] * KEPT:
        raise DrillError(f"Redis holds {json.dumps(said)}, and not what it held at the backup.")


def rows(stand: Stand) -> int:
    """Return how many messages of the room the database holds."""
    with psycopg.connect(stand.variables["FANOUT_DATABASE"]) as connection:
        found = connection.execute(COUNT, [GROUP]).fetchone()
    return int(found[0]) if found else 0


DRILL = Drill(
    name="data-lost",
    alert="FanoutPositionsLost",
    text="what Redis and PostgreSQL hold is deleted",
    breaks=deleted,
    runbook="restore-a-backup",
    step=PARTS,
    check=restored,
    programs=("postgres",),
    prepare=with_postgres,
)
