"""Workers as real processes, and what they write."""

import contextlib
import json
import sqlite3
import sys
from pathlib import Path

import psycopg
import pytest

from fleet.unix import get_json
from tests.fanout.layers.conftest import redis_layer  # noqa: F401 - a fixture
from tests.postgreses import a_postgres
from tests.redis_servers import eventually
from tests.replicas import APP, LIMIT, Starter, a_folder

COLUMNS = '"group", epoch, "offset", data, number'
TABLE = "fanout_archive_archivedpublication"


class Sqlite:
    """A file; there is no process to kill, but somebody may hold its lock."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "db.sqlite3"
        self.url = f"sqlite://{self.path}"
        self._holder = None

    def rows(self):
        """All rows: group, epoch, offset, data, number."""
        with contextlib.closing(sqlite3.connect(self.path, timeout=LIMIT)) as connection:
            return connection.execute(f"SELECT {COLUMNS} FROM {TABLE}").fetchall()  # noqa: S608 - ours

    def kill(self):
        """From now on nobody may write."""
        self._holder = sqlite3.connect(self.path, timeout=LIMIT, isolation_level=None)
        self._holder.execute("BEGIN IMMEDIATE")

    def start(self):
        """Let go."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    stop = start


class Postgres:
    """A server."""

    def __init__(self, server):
        self.url = server.url
        self.kill, self.start, self.stop = server.kill, server.start, server.stop

    def rows(self):
        """All rows: group, epoch, offset, data, number."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute(f"SELECT {COLUMNS} FROM {TABLE}").fetchall()  # noqa: S608 - ours
            return [(*head, bytes(data), number) for *head, data, number in found]


@contextlib.contextmanager
def _database(kind):
    with a_folder() as folder:
        if kind == "sqlite":
            yield Sqlite(folder)
        else:
            with a_postgres() as server:
                yield Postgres(server)


class Crew:
    """Starts workers on the same servers."""

    def __init__(self, starter, database, servers):
        self._starter = starter
        self.database = database
        self.servers = servers
        starter.environment |= {
            "FANOUT_REDIS_URLS": ",".join(server.url for server in servers),
            "FANOUT_DATABASE": database.url,
        }
        assert self._manage("migrate", "--verbosity", "0").wait() == 0
        self.socket = starter.folder / "worker.sock"

    def _manage(self, *arguments):
        return self._starter.process(sys.executable, APP / "manage.py", *arguments)

    def worker(self, name="worker"):
        """Start one."""
        self.socket = self._starter.folder / f"{name}.sock"
        return self._manage("worker", "--socket", self.socket)

    def status(self):
        """What the last one says of itself; None when it does not answer."""
        return get_json(self.socket, "/readyz")

    def job(self, name):
        """What it says of one of its tasks; nothing when it does not answer, or has not been through once."""
        return (self.status() or {}).get("jobs", {}).get(name)

    def is_ready(self):
        """Whether it has been through once and nothing keeps it from its work."""
        return (self.status() or {}).get("status") == "ready"

    def archived(self, count, seconds=LIMIT):
        """Wait until there are so many rows, and return them; data as it was before it was JSON."""
        eventually(lambda: len(self.database.rows()) >= count, f"{count} rows", seconds)
        rows = self.database.rows()
        return sorted((group, epoch, offset, json.loads(data)) for group, epoch, offset, data, _ in rows)


@pytest.fixture
def crew_of():
    """Make crews: `crew_of("sqlite", redis_server)`; all has ended afterwards."""
    with contextlib.ExitStack() as stack:

        def make(kind, *servers):
            folder = stack.enter_context(a_folder())
            database = stack.enter_context(_database(kind))
            starter = stack.enter_context(contextlib.closing(Starter(folder)))
            return Crew(starter, database, servers)

        yield make


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request):
    """Each database."""
    return request.param
