"""A real PostgreSQL for tests: in a folder of its own, on the loopback, killed and started as a test likes."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from fleet.packages import find
from tests.ports import a_free_port
from tests.redis_servers import eventually
from tests.redises import a_folder

NOBODY = ("--reuid", "nobody", "--regid", "nogroup", "--clear-groups")
"""PostgreSQL refuses to run as root."""
START_SECONDS = 30
"""For what it does behind a crash, on a busy machine."""
USER = NAME = "fleet"


def program(name):
    """The path of a program of PostgreSQL, which Debian does not put on the PATH."""
    found = find(name) or next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install postgresql)")
    return found


class PostgresServer:
    """One server; `url` is for FANOUT_DATABASE."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._port = a_free_port()
        self.url = f"postgresql://{USER}@127.0.0.1:{self._port}/{NAME}"
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Return when it answers; the first time it is made."""
        if not self._data.exists():
            self._make()
        eventually(self._runs, "PostgreSQL answers", START_SECONDS)

    def kill(self) -> None:
        """SIGKILL: it has to recover when it starts again. Its children end by themselves when they notice."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    stop = kill

    def _make(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self._folder, "nobody", "nogroup")
        made = self._run(program("initdb"), "-D", self._data, "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8")
        assert made.wait(START_SECONDS) == 0, "initdb failed"
        self.start()
        made = self._run(program("createdb"), "-h", "127.0.0.1", "-p", self._port, "-U", USER, NAME)
        assert made.wait(START_SECONDS) == 0, "createdb failed"
        self.kill()

    def _runs(self) -> bool:
        """Whether it answers; started again while it refuses: children of a killed one hold its memory a moment."""
        if self._process is None or self._process.poll() is not None:
            self._process = self._run(
                program("postgres"), "-D", self._data, "-k", self._folder, "-h", "127.0.0.1", "-p", self._port, "-F",
            )  # fmt: skip
        return self._answers()

    def _answers(self) -> bool:
        return self._run(program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", self._port).wait(START_SECONDS) == 0

    def _run(self, *command) -> subprocess.Popen:
        rights = ["setpriv", *NOBODY] if os.geteuid() == 0 else []
        guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*rights, *guard, *map(str, command)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self._folder, process_group=0,
            )  # fmt: skip


@contextlib.contextmanager
def a_postgres():
    """A running server, which has ended afterwards."""
    with a_folder() as folder:
        server = PostgresServer(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
