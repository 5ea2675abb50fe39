"""SQLite's file is damaged: nobody can open the database."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

HEADER_BYTES = 100
"""https://www.sqlite.org/fileformat.html#the_database_header"""


@contextlib.contextmanager
def damaged(stand: Stand) -> Iterator[None]:
    """Overwrite its header, as a disk that fails would. Clients talk on: the worker has something to copy."""
    with (stand.run.root / "db.sqlite3").open("r+b") as file:
        file.write(b"?" * HEADER_BYTES)
    with stand.talking():
        yield


DRILL = Drill(
    name="database-down",
    alert="FanoutDatabaseUnavailable",
    also=("FanoutWorkerBehind",),
    text="the file of the database is damaged",
    breaks=damaged,
    step="SQLite's file is damaged",
)
