"""Where a fleet keeps what belongs to it, and the few values it remembers between two commands."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import stat
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fleet.descriptors import FEWEST
from fleet.errors import UsageError
from fleet.options import REPOSITORY
from fleet.trust import refuse_foreign, unusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOCKET_PATH_MOST_BYTES = 107  # sun_path of Linux has 108, one of them ends it
LONGEST_SOCKET = "control.sock.4194304"  # the supervisor binds under a name that ends in its process id
UNSAFE = re.compile(r"[^\w./ @+,:=~-]")  # what a configuration file of nginx or the supervisor cannot hold
DEFAULT_REPLICAS = 3
DEFAULT_PORT = 8080
DEFAULT_SLOTS = 16
SECRET_KEY_BYTES = 50
DATABASE = "db.sqlite3"  # beside it, as SQLite likes, -wal, -shm and -journal; as app/config/env.py has it
OTHERS = stat.S_IRWXG | stat.S_IRWXO
WORKER = "worker"
"""The process beside the replicas that works in the background; one a fleet."""


@dataclass(frozen=True)
class Settings:
    """What one fleet is: kept in `fleet.json` while it runs."""

    replicas: int = DEFAULT_REPLICAS
    port: int = DEFAULT_PORT
    bind: tuple[str, ...] | None = None
    """Addresses nginx listens on; None: both loopbacks, as far as the machine has them."""
    trusted_proxies: tuple[str, ...] = ()
    slots: int = DEFAULT_SLOTS
    descriptors: int = FEWEST
    """Open files of one process, as they were allowed when the supervisor started."""
    tls_port: int = 0
    """Port for TLS and HTTP/2 beside `port`; 0: none."""
    tls_certificate: str = ""
    tls_key: str = ""
    tls: bool = False
    """TLS is the only way in: plain HTTP is sent there."""
    own_certificate: bool = False
    """The certificate is of the fleet's own authority, and is renewed by `make up`."""
    compose: str = ""
    """The command of Compose that made the containers; empty for plain processes."""
    own_redis: bool = True
    """False when FANOUT_REDIS_URLS names servers of somebody else."""

    @property
    def way_in(self) -> int:
        """The port for pages and WebSockets."""
        return self.tls_port if self.tls else self.port

    @property
    def names(self) -> tuple[str, ...]:
        """The slots of all replicas, `web-1` first."""
        return tuple(f"web-{number}" for number in range(1, self.replicas + 1))


@dataclass(frozen=True)
class Run:
    """The run folder; every path of a fleet is one of these."""

    root: Path

    def __post_init__(self) -> None:
        refuse_bad_path(self.root)

    @property
    def sockets(self) -> Path:
        """The replicas' sockets, and nothing else."""
        return self.root / "sockets"

    @property
    def pids(self) -> Path:
        """One file with the real process id for each replica, nginx' master, Redis and the supervisor."""
        return self.root / "pids"

    @property
    def logs(self) -> Path:
        """One file a process, and `access.log`."""
        return self.root / "logs"

    @property
    def redis(self) -> Path:
        """Redis' data, socket included."""
        return self.root / "redis"

    @property
    def accounts(self) -> Path:
        """Who may say what to Redis."""
        return self.redis / "users.acl"

    @property
    def nginx(self) -> Path:
        """The rendered configuration and nginx' temporary files."""
        return self.root / "nginx"

    @property
    def nginx_configuration(self) -> Path:
        """What nginx reads."""
        return self.nginx / "nginx.conf"

    @property
    def tls(self) -> Path:
        """The fleet's own certificate authority, and what it signed; stays when the fleet ends."""
        return self.root / "tls"

    @property
    def static(self) -> Path:
        """What `collectstatic` writes, unless FANOUT_STATIC_ROOT says otherwise."""
        return self.root / "static"

    @property
    def control(self) -> Path:
        """The socket over which the supervisor is spoken to."""
        return self.root / "control.sock"

    @property
    def supervisor(self) -> Path:
        """The supervisor's configuration."""
        return self.root / "supervisord.conf"

    @property
    def environment(self) -> Path:
        """The replicas' variables as shell assignments, readable by the owner alone."""
        return self.root / "environment"

    @property
    def secret_key(self) -> Path:
        """The key that all replicas share, made once."""
        return self.root / "secret_key"

    @property
    def memory(self) -> Path:
        """The settings of the fleet that runs."""
        return self.root / "fleet.json"

    def socket(self, name: str) -> Path:
        """Return the socket of a replica, or the one on which the worker tells how it does."""
        # Not beside those of the replicas: whatever lies there is served from.
        return (self.root if name == WORKER else self.sockets) / f"{name}.sock"

    def pid_file(self, name: str) -> Path:
        """Return the pid file of a process."""
        return self.pids / f"{name}.pid"

    def pid(self, name: str) -> int | None:
        """Return what the pid file says, which may long be dead; None for no file or no number."""
        try:
            return int(self.pid_file(name).read_text())
        except (OSError, ValueError):
            return None

    def make(self) -> None:
        """Create the folders, for the owner alone; what holds sessions or messages is closed to others if it is not."""
        _make_private(self.root)
        for folder in (self.sockets, self.pids, self.logs, self.redis, self.nginx / "temporary"):
            _make_private(folder.resolve())
        # Not the sockets and the static files: another account's nginx may have been let in there.
        for path in (self.pids, self.logs, self.redis, self.nginx, *self.root.glob(f"{DATABASE}*")):
            _close_to_others(path.resolve())

    def ensure_secret_key(self) -> None:
        """Write a random key once; an existing one stays, since sessions are signed with it."""
        if not self.secret_key.exists():
            write_private(self.secret_key, secrets.token_urlsafe(SECRET_KEY_BYTES) + "\n")

    def remember(self, settings: Settings) -> None:
        """Keep the settings for the next command."""
        store(self.memory, settings)

    def recall(self) -> Settings:
        """Return the settings of the last start; the defaults where there was none or its note is torn."""
        return load(self.memory)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let one command at a time change the fleet; the kernel lets go when its process ends."""
        _make_private(self.root)
        folder = os.open(self.root, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sys.stderr.write("Another command is changing this fleet: waiting until it is done.\n")
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def store(memory: Path, settings: Settings) -> None:
    """Write settings into a file."""
    write_private(memory, json.dumps(asdict(settings), indent=2) + "\n")


def load(memory: Path) -> Settings:
    """Return the settings in a file; the defaults where there is none or it is torn."""
    try:
        kept = json.loads(memory.read_text())
        kept["bind"] = kept["bind"] and tuple(kept["bind"])
        return Settings(**{**kept, "trusted_proxies": tuple(kept["trusted_proxies"])})
    except (OSError, ValueError, KeyError, TypeError):
        return Settings()


def _make_private(folder: Path) -> None:
    """Create a folder for the owner alone, those above it too, and look at it again: others may have been faster."""
    try:
        for missing in reversed([folder, *folder.parents]):
            missing.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unusable(folder, str(error.strerror)) from None
    refuse_foreign(folder)


def _close_to_others(path: Path) -> None:
    mode = path.stat().st_mode
    if mode & OTHERS:
        path.chmod(stat.S_IMODE(mode) & ~OTHERS)


def refuse_bad_path(root: Path) -> None:
    """Raise UsageError when sockets would not fit below the folder, or files could not name it."""
    longest = len(os.fsencode(root / LONGEST_SOCKET))
    if longest > SOCKET_PATH_MOST_BYTES:
        raise UsageError(
            f"The run folder {root} is {longest - SOCKET_PATH_MOST_BYTES} bytes too deep for unix sockets "
            f"({SOCKET_PATH_MOST_BYTES} at most): give a shorter one, for example RUN_DIR=~/fleet."
        )
    for kind, path in (("run folder", root), ("repository", REPOSITORY)):
        if found := UNSAFE.search(str(path)):
            raise UsageError(
                f"The {kind} {path} has {found[0]!r} in its path, which configuration files cannot hold: "
                "take another folder, for example RUN_DIR=~/fleet."
            )


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone reads, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
