"""Real fleets for tests: `make up` in a folder of their own, ended whatever happens to the test run."""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from fleet.environment import MARK
from fleet.options import REPOSITORY, VARIABLES
from fleet.unix import get_json
from tests.ports import a_free_port

MAKE_SECONDS = 100
NOT_OURS = (*VARIABLES, "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONPATH")

WATCH = """
import shutil, subprocess, sys
sys.stdin.read()
subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
shutil.rmtree(sys.argv[1])
"""
"""Waits until its standard input closes, which it does also when pytest is killed, then takes the fleet down
and its folder away."""


class Fleet:
    """One fleet beside all others: its own port, Redis, sockets and database."""

    def __init__(self, run_dir: Path, port: int) -> None:
        self.run_dir = run_dir
        self._was_up = False
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"

    def command(self, verb: str, **variables: object) -> list[str]:
        """Return the command line of a verb; a variable that is None is not given."""
        values = {
            "MODE": "native",
            "RUN_DIR": self.run_dir,
            "ENV_FILE": "/dev/null",
            "PYTHON": sys.executable,
            **variables,
        }
        words = [f"{name}={value}" for name, value in values.items() if value is not None]
        return ["make", "--no-print-directory", "-C", str(REPOSITORY), verb, *words]

    def make(self, verb: str, *, check: bool = True, environ: dict[str, str] | None = None, **variables: object):
        """Run a verb, for example `make("scale", REPLICAS=5)`; return what it printed and its exit code."""
        if verb == "up" and not self._was_up:
            self._was_up = True
            self.run_dir.mkdir(mode=0o700, exist_ok=True)
            shutil.copytree(Path(_collected().name) / "static", self.run_dir / "static", dirs_exist_ok=True)
        done = subprocess.run(
            self.command(verb, **variables),
            env={**clean_environment(), **(environ or {})},
            capture_output=True, text=True, check=False, timeout=MAKE_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"make {verb} failed:\n{done.stdout}{done.stderr}{self.last_words()}"
        return done

    @staticmethod
    def another_port() -> int:
        """Return a port that nobody uses."""
        return a_free_port()

    @property
    def names(self) -> list[str]:
        """The replicas that have a socket, in order."""
        return sorted(self.sockets, key=lambda name: int(name.removeprefix("web-")))

    @property
    def sockets(self) -> dict[str, Path]:
        """Socket of each replica that has one."""
        return {path.stem: path for path in (self.run_dir / "sockets").glob("*.sock")}

    def pid(self, name: str) -> int | None:
        """Process id of a replica, `nginx`, `redis` or `supervisor`; None when it has no pid file."""
        try:
            return int((self.run_dir / "pids" / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return None

    @property
    def pids(self) -> dict[str, int | None]:
        """Process id of everything that has a pid file."""
        return {path.stem: self.pid(path.stem) for path in (self.run_dir / "pids").glob("*.pid")}

    def readyz(self, name: str) -> dict | None:
        """What a replica says about itself through its own socket; None when it does not answer."""
        return get_json(self.run_dir / "sockets" / f"{name}.sock", "/readyz")

    def is_ready(self, name: str) -> bool:
        """Whether a replica says that it is ready."""
        return (self.readyz(name) or {}).get("status") == "ready"

    def settings(self) -> dict:
        """What the fleet remembers of itself."""
        return json.loads((self.run_dir / "fleet.json").read_text())

    def processes(self) -> list[psutil.Process]:
        """Every living process of this fleet: by its mark, its folder or its arguments."""
        return [process for process in psutil.process_iter() if self._is_mine(process)]

    def _is_mine(self, process: psutil.Process) -> bool:
        mine = str(self.run_dir)
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                return False
            words = process.cmdline()
            if words[:1] == [sys.executable] and WATCH in words:
                return False
            marked = process.environ().get(MARK) == mine
            return marked or process.cwd().startswith(mine) or any(mine in word for word in words)
        except (psutil.Error, OSError):
            return False

    def last_words(self) -> str:
        """Return the ends of all logs, for a failure's report."""
        logs = sorted((self.run_dir / "logs").glob("*.log"))
        return "".join(f"\n--- {log.name}\n" + "\n".join(tail(log)) for log in logs)


def tail(log: Path) -> list[str]:
    """Return the last lines of a log that are worth reading."""
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if "web-" not in line or "[crit]" not in line][-15:]


def clean_environment() -> dict[str, str]:
    """Return the environment without what would configure a fleet."""
    return {
        name: value for name, value in os.environ.items() if name not in NOT_OURS and not name.startswith("FANOUT_")
    }


@functools.cache
def _collected() -> tempfile.TemporaryDirectory:
    """Static files for every fleet of this process: to collect them takes a core two seconds."""
    folder = tempfile.TemporaryDirectory(prefix="static-", dir="/tmp")
    subprocess.run(
        [sys.executable, "manage.py", "prepare"], cwd=REPOSITORY / "app", check=True,
        env={
            **clean_environment(),
            "FANOUT_STATIC_ROOT": f"{folder.name}/static",
            "FANOUT_DATABASE": f"sqlite:///{folder.name}/db.sqlite3",
        },
    )  # fmt: skip
    return folder


@contextlib.contextmanager
def a_folder():
    """A fleet that was not started, in a short folder; nothing of it is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fleet-", dir="/tmp"))
    fleet = Fleet(folder / "run", a_free_port())
    guard = subprocess.Popen(
        [sys.executable, "-c", WATCH, str(folder), *fleet.command("down")],
        stdin=subprocess.PIPE, env=clean_environment(), start_new_session=True,
    )  # fmt: skip
    try:
        yield fleet
    finally:
        guard.communicate(timeout=MAKE_SECONDS)
        left = fleet.processes()
        for process in left:
            process.kill()
    assert not left, f"make down left {left}"


@pytest.fixture
def unstarted():
    """A fleet that does not run."""
    with a_folder() as fleet:
        yield fleet


@pytest.fixture(scope="session")
def fleet():
    """A running fleet of three replicas that all tests share: leave it as it was."""
    with a_folder() as made:
        made.make("up", REPLICAS=3, PORT=made.port)
        yield made


@pytest.fixture(scope="module")
def own_fleet():
    """A running fleet of three replicas for one module, which may kill, scale and restart it."""
    with a_folder() as made:
        made.make("up", REPLICAS=3, PORT=made.port)
        yield made
